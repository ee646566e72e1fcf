import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { answer, api, ApiError } from "../../api/client";
import type { components } from "../../api/schema";
import { useNow } from "../../api/useLive";
import { ago } from "../../format";
import { Confirm } from "../../parts/Confirm";
import { sourceOf, State } from "../../state";
import { notify } from "../../toasts";
import { Badge, Button, Section } from "../../ui";
import { Option, Refusal } from "./parts";

type Token = components["schemas"]["TokenShown"];
type Made = components["schemas"]["TokenMade"];
type Scope = Token["scopes"][number];

const KEY = ["user", "tokens"] as const;
const SCOPES: Record<Scope, readonly [string, string]> = {
  read: ["Read", "See everything that you see."],
  operate: ["Operate", "Install, pause, delete, change settings."],
  publish: ["Publish", "Send events of other services."],
  admin: ["Admin", "All of it, and what concerns other users."],
};
const EXPIRIES = [
  ["7", "in a week"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
  ["", "never"],
] as const;

/** Personal tokens for scripts and bots. */
export function Tokens() {
  const queries = useQueryClient();
  const now = useNow(60_000);
  const tokens = useQuery({ queryKey: KEY, queryFn: () => answer(api.GET("/api/v1/user/tokens")), retry: retryUnlessRefused });
  const [made, setMade] = useState<Made>();
  const [asked, setAsked] = useState<Token>();
  const revoke = useMutation({
    mutationFn: ({ id }: Token) => answer(api.DELETE("/api/v1/user/tokens/{token_id}", { params: { path: { token_id: id } } })),
    onSuccess: (_, { name }) => {
      notify({ type: "success", title: `${name} is revoked`, message: "It opens nothing any more." });
      return queries.invalidateQueries({ queryKey: KEY });
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
    },
    networkMode: "always",
  });
  return (
    <Section id="tokens" title="Personal tokens" count={tokens.data?.total} at={tokens.dataUpdatedAt || undefined}>
      <p className="muted small about">For the command line, scripts and bots. A token does at most what you may do yourself.</p>
      <State of={sourceOf(tokens)} what="your tokens" lines={2}>
        {({ tokens: list }) => (
          <>
            {list.length === 0 && <p className="none">You have no tokens yet.</p>}
            <ul className="rows tokens">
              {list.map((token) => (
                <li key={token.id}>
                  <div className="line">
                    <span className="name">{token.name}</span>
                    <code>{token.prefix}…</code>
                    {token.expired && <Badge tone="bad">Expired</Badge>}
                    <span className="end">
                      <Button label={`Revoke ${token.name}`} onClick={() => setAsked(token)}>
                        Revoke…
                      </Button>
                    </span>
                  </div>
                  <p className="muted small">
                    {[token.scopes.join(", "), `made ${ago(token.created_at, now)}`, token.last_used_at && `last used ${ago(token.last_used_at, now)}`, expiry(token)].filter(Boolean).join(" · ")}
                  </p>
                </li>
              ))}
            </ul>
            <NewToken onMade={setMade} />
          </>
        )}
      </State>
      <Refusal error={revoke.error} />
      {made && (
        <ShownOnce
          made={made}
          onClose={() => {
            setMade(undefined);
            void queries.invalidateQueries({ queryKey: KEY });
          }}
        />
      )}
      {asked && (
        <Confirm title={`Revoke ${asked.name}?`} action="Revoke" onConfirm={() => revoke.mutate(asked)} onClose={() => setAsked(undefined)}>
          <p className="muted">Whatever uses it is refused from then on, and its open streams end. This cannot be taken back.</p>
        </Confirm>
      )}
    </Section>
  );
}

function retryUnlessRefused(failures: number, error: Error): boolean {
  return failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500);
}

function expiry({ expires_at, expired }: Token): string {
  if (!expires_at) return "never expires";
  const day = new Date(expires_at).toLocaleDateString(undefined, { dateStyle: "medium" });
  return expired ? `expired on ${day}` : `expires on ${day}`;
}

function NewToken({ onMade }: { onMade: (made: Made) => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly Scope[]>(["read"]);
  const [days, setDays] = useState<string>("90");
  const session = useQuery({ queryKey: ["session"], queryFn: () => answer(api.GET("/api/v1/session")), retry: 1, staleTime: 60_000 });
  const own = session.data?.scopes ?? ["read"];
  const make = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/v1/user/tokens", { body: { name: name.trim(), scopes: [...scopes], ...(days && { expires_in_days: Number(days) }) } })),
    onSuccess: (made) => {
      setName("");
      onMade(made);
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
    },
    networkMode: "always",
  });
  const id = useId();
  return (
    <form
      className="new-token"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate();
      }}
    >
      <h3>New token</h3>
      <div className="two">
        <label>
          <span>Name</span>
          <input
            value={name}
            required
            maxLength={100}
            pattern="[A-Za-z0-9][A-Za-z0-9 ._@\-]*"
            title="Letters, digits, spaces and . _ @ -, beginning with a letter or digit"
            placeholder="backup script"
            autoComplete="off"
            aria-describedby={`${id}-refusal`}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label>
          <span>Expires</span>
          <select value={days} onChange={(event) => setDays(event.target.value)}>
            {EXPIRIES.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
      </div>
      <fieldset className="options two">
        <legend>It may</legend>
        {(Object.keys(SCOPES) as Scope[])
          .filter((scope) => own.includes(scope))
          .map((scope) => (
            <Option
              key={scope}
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(checked) => setScopes((present) => (checked ? [...present, scope] : present.filter((other) => other !== scope)))}
              label={SCOPES[scope][0]}
              about={SCOPES[scope][1]}
            />
          ))}
      </fieldset>
      <div className="setting">
        <div id={`${id}-refusal`}>
          <Refusal error={make.error} />
        </div>
        <button type="submit" className="button primary" disabled={make.isPending || scopes.length === 0 || name.trim() === ""}>
          Make token
        </button>
      </div>
    </form>
  );
}

/** The secret, this once. */
function ShownOnce({ made, onClose }: { made: Made; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const secret = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState<"" | "copied" | "selected">("");
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const copy = async () => {
    secret.current?.select();
    try {
      await navigator.clipboard.writeText(made.token);
      setCopied("copied");
    } catch (error) {
      // There is no clipboard on plain-HTTP addresses, and it may be forbidden.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      setCopied("selected");
    }
  };
  return (
    <dialog ref={dialog} className="wide" aria-labelledby={heading} onClose={onClose}>
      <h2 id={heading}>Token {made.name}</h2>
      <p>Copy it now: it is shown this once, and nobody can find it out later.</p>
      <div className="secret">
        <input ref={secret} readOnly value={made.token} aria-label="The token" onFocus={(event) => event.target.select()} />
        <Button kind="primary" onClick={() => void copy()}>
          Copy
        </Button>
      </div>
      <p role="status" className="muted small">
        {copied === "copied" ? "Copied." : copied === "selected" ? "It is selected: copy it with your keyboard." : ""}
      </p>
      <div className="buttons">
        <Button onClick={() => dialog.current?.close()}>Done</Button>
      </div>
    </dialog>
  );
}
