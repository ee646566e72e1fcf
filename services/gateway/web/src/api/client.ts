const BASE = "/api/v1";
const TIMEOUT_MS = 30_000;

/** The server refused (its problem+json in `message` and `code`), or could not be reached (`status` 0). */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface CallOptions {
  query?: Record<string, string | number | boolean>;
  body?: unknown;
}

/** Call `/api/v1{path}` and return the answer's JSON; everything but success throws `ApiError`. */
export async function call<T>(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, options: CallOptions = {}): Promise<T> {
  const query = options.query ? `?${new URLSearchParams(mapValues(options.query, String))}` : "";
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["Idempotency-Key"] = randomKey();
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`${BASE}${path}${query}`, {
      method,
      headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    const reason = error.name === "TimeoutError" ? "The gateway did not answer in time." : "The gateway cannot be reached.";
    throw new ApiError(0, "unreachable", reason);
  }
  if (!response.ok) throw await refusal(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** A path segment, with everything special escaped. */
export function segment(id: string): string {
  return encodeURIComponent(id);
}

async function refusal(response: Response): Promise<ApiError> {
  const fallback = `The gateway answered ${response.status} ${response.statusText}.`.replace(" .", ".");
  if (!response.headers.get("content-type")?.includes("json")) return new ApiError(response.status, "http", fallback);
  const problem = (await response.json()) as { code?: unknown; detail?: unknown; title?: unknown };
  const text = [problem.detail, problem.title].find((part) => typeof part === "string" && part !== "");
  return new ApiError(response.status, String(problem.code ?? "http"), typeof text === "string" ? text : fallback);
}

/** crypto.randomUUID does not exist on plain-HTTP addresses. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function mapValues<A, B>(object: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
