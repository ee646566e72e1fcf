import { useEffect, useRef, useState, type FormEvent } from "react";
import { ApiError } from "../api/client";
import { signIn } from "../api/session";
import { Icon } from "../icons";
import { Logo } from "../shell/Header";
import { useTitle } from "../shell/PageHead";

interface SignInProps {
  /** Where the issuer's own sign-in begins, where there is one. */
  issuer: string | undefined;
  /** Why one is here, if that has to be said. */
  why: string;
  onSignedIn: () => void;
}

/** Leads to the issuer, or exchanges the token for a cookie that scripts cannot read. One comes back to the same page. */
export default function SignIn({ issuer, why, onSignedIn }: SignInProps) {
  useTitle("Sign in");
  const first = useRef<HTMLAnchorElement>(null);
  useEffect(() => first.current?.focus(), []);
  const form = <TokenForm why={issuer ? "" : why} isFirst={!issuer} onSignedIn={onSignedIn} />;
  return (
    <main id="main" className="sign-in">
      <div className="card">
        <Logo />
        <h1>Sign in to Modeldeck</h1>
        {why && (
          <p id="why" className="note" role="status">
            <Icon name="info" />
            {why}
          </p>
        )}
        {issuer ? (
          <>
            <a ref={first} className="button primary" href={`${issuer}?return_to=${encodeURIComponent(location.pathname + location.search)}`} aria-describedby={why && "why"}>
              Sign in with your organization
            </a>
            <details>
              <summary>
                <Icon name="chevronRight" />
                Use this deck's token instead
              </summary>
              {form}
            </details>
          </>
        ) : (
          form
        )}
      </div>
    </main>
  );
}

function TokenForm({ why, isFirst, onSignedIn }: { why: string; isFirst: boolean; onSignedIn: () => void }) {
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isFirst) field.current?.focus();
  }, [isFirst]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setRefusal("");
    signIn(field.current?.value.trim() ?? "")
      .then(onSignedIn)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        setRefusal(said(error));
        field.current?.select();
      })
      .finally(() => setBusy(false));
  };
  return (
    <form onSubmit={submit}>
      {/* Password managers ask for whom they shall keep it. */}
      <input type="text" name="username" autoComplete="username" value="local" readOnly hidden />
      <label htmlFor="token">Token</label>
      <input
        ref={field}
        id="token"
        type="password"
        autoComplete="current-password"
        required
        aria-invalid={refusal !== ""}
        aria-describedby={`token-hint token-refusal${why && " why"}`}
      />
      <p id="token-hint" className="muted small">
        It stands in the link that <code>modeldeck up</code> printed; opening that link signs you in as well.
      </p>
      <p id="token-refusal" className="reason" role="alert">
        {refusal}
      </p>
      <button type="submit" className={isFirst ? "button primary" : "button"} aria-disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

function said({ status, message }: ApiError): string {
  if (status === 401) return "This token is not right. Use the one that Modeldeck printed last.";
  if (status === 0) return `${message} See whether Modeldeck is running, then try again.`;
  return message;
}
