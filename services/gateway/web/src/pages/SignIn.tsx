import { useState, type FormEvent } from "react";
import { ApiError } from "../api/client";
import { signIn } from "../api/session";
import { Logo } from "../shell/Header";

/** Exchanges the token for a cookie that scripts cannot read. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token") ?? "").trim();
    setBusy(true);
    signIn(token)
      .then(onSignedIn)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        setRefusal(error.status === 401 ? "This token is not right. Use the one that Modeldeck printed last." : error.message);
      })
      .finally(() => setBusy(false));
  };
  return (
    <main id="main" className="sign-in">
      <form className="card" onSubmit={submit}>
        <Logo />
        <h1>Sign in to Modeldeck</h1>
        <p className="muted">
          Open the link that <code>modeldeck up</code> printed, or paste its token here.
        </p>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autoComplete="current-password"
          required
          aria-invalid={refusal !== ""}
          aria-describedby="token-refusal"
        />
        <p id="token-refusal" className="reason" role="alert">
          {refusal}
        </p>
        <button type="submit" className="button primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
