/** This build's own script; its name carries a hash of what is in it. */
const OWN = new URL(import.meta.url).pathname;
const TIMEOUT_MS = 5_000;

/** Whether the gateway serves another build of this page by now; undefined when it does not say. */
export async function isReplaced(): Promise<boolean | undefined> {
  if (!import.meta.env.PROD) return false;
  try {
    const response = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? !(await response.text()).includes(OWN) : undefined;
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return undefined;
    throw error;
  }
}

/** Whether this is the browser saying that a part of the page's code could not be fetched. */
export function isUnfetched(error: Error): boolean {
  return /dynamically imported module|importing a module script|preload css/i.test(error.message);
}
