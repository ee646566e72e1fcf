import { answer, api } from "./client";

/** Exchange the token for the session's HttpOnly cookie. */
export async function signIn(token: string): Promise<void> {
  await answer(api.POST("/api/v1/session", { body: { token } }));
}

export async function signOut(): Promise<void> {
  await answer(api.DELETE("/api/v1/session"));
}

/**
 * Take the token of a printed link out of the address bar. The gateway exchanges it itself at "/": what is left there
 * was wrong.
 */
export async function signInFromAddress(): Promise<void> {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (!token) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  if (address.pathname !== "/") await signIn(token);
}
