import { useQuery } from "@tanstack/react-query";
import { answer, api, ApiError } from "./client";
import { useLive } from "./useLive";

/** Why somebody stands before the sign-in page, where this page knows it. */
let farewell = "";

export function whySignedOut(): string {
  return farewell;
}

/** Who is signed in and what he may do, once the stream has shown that somebody is; the same until he signs out. */
export function useSession() {
  const known = useLive((state) => state.status.phase === "live");
  return useQuery({
    queryKey: ["session"],
    enabled: known,
    queryFn: () => answer(api.GET("/api/v1/session")),
    retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status === 401),
    staleTime: Infinity,
  });
}

/** Exchange the token for the session's HttpOnly cookie. */
export async function signIn(token: string): Promise<void> {
  await answer(api.POST("/api/v1/session", { body: { token } }));
  farewell = "";
}

export async function signOut(): Promise<void> {
  await answer(api.DELETE("/api/v1/session"));
  farewell = "You are signed out.";
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
  farewell = "The link that you opened holds an old or wrong token. Open the one that Modeldeck printed last.";
  if (address.pathname !== "/") await signIn(token);
}
