import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

const TIMEOUT_MS = 30_000;

/** The gateway's API by its OpenAPI document: paths, parameters and answers are checked by the compiler. */
export const api = createClient<paths>({
  headers: { Accept: "application/json" },
  fetch: (request) => fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) }),
});

api.use({
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("Idempotency-Key", randomKey());
  },
});

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

/** The answer's data; everything but success throws `ApiError`. */
export async function answer<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let got;
  try {
    got = await asked;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    const reason = error.name === "TimeoutError" ? "The gateway did not answer in time." : "The gateway cannot be reached.";
    throw new ApiError(0, "unreachable", reason);
  }
  if (!got.response.ok) throw refusal(got.response, got.error);
  return got.data as T;
}

function refusal({ status, statusText }: Response, body: unknown): ApiError {
  const problem = (typeof body === "object" ? body : {}) as Partial<components["schemas"]["Problem"]>;
  const said = [problem.detail, problem.title].find((text) => typeof text === "string" && text !== "");
  return new ApiError(status, problem.code ?? "http", said ?? `The gateway answered ${status} ${statusText}`.trimEnd());
}

/** crypto.randomUUID does not exist on plain-HTTP addresses. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
