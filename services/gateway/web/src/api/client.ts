import type { Client } from "openapi-fetch";
import type { components, paths } from "./schema";

const TIMEOUT_MS = 30_000;

interface Asked {
  params?: { path?: Record<string, unknown>; query?: Record<string, unknown>; header?: Record<string, string> };
  body?: unknown;
}

/**
 * The gateway's API by its OpenAPI document: paths, parameters and answers are checked by the compiler. Of the library
 * only the types are used; what of it the gateway needs is short.
 */
export const api = {
  GET: asks("GET"),
  POST: asks("POST"),
  PUT: asks("PUT"),
  PATCH: asks("PATCH"),
  DELETE: asks("DELETE"),
} as unknown as Pick<Client<paths>, "GET" | "POST" | "PUT" | "PATCH" | "DELETE">;

function asks(method: string) {
  return async (path: string, { params = {}, body }: Asked = {}) => {
    const headers: Record<string, string> = { Accept: "application/json", ...params.header };
    if (method !== "GET") headers["Idempotency-Key"] = randomKey();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const address = new URL(filled(path, params.path ?? {}), location.origin);
    for (const [name, value] of Object.entries(params.query ?? {})) if (value != null) address.searchParams.append(name, String(value));
    const request = new Request(address, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const response = await fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    if (!response.ok) return { response, error: parsed(text) };
    return { response, data: text === "" ? undefined : (JSON.parse(text) as unknown) };
  };
}

function filled(path: string, values: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
}

/** A refusal need not come from the gateway: a proxy answers in its own words. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

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
    if (!(error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError)) throw error;
    const reason =
      error.name === "TimeoutError" ? "The gateway did not answer in time."
      : error.name === "SyntaxError" ? "What answered is not the gateway."
      : "The gateway cannot be reached.";
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
