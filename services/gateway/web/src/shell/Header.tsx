import { useState } from "react";
import { ApiError } from "../api/client";
import { signOut, useSession } from "../api/session";
import { useConnection, useLiveContext } from "../api/useLive";
import { Icon, type IconName } from "../icons";
import { late } from "../late";
import { useScheme, type Scheme } from "../theme";
import { notify } from "../toasts";
import { Button } from "../ui";
import { useShortcuts } from "./shortcuts";

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M7 11h18M7 16h12M7 21h7" />
      <circle cx="23.5" cy="20.5" r="3" />
    </svg>
  );
}

const HelpSheet = late(async () => (await import("./HelpSheet")).HelpSheet);
const SCHEMES: Record<Scheme, readonly [IconName, string]> = { auto: ["screen", "Auto"], light: ["sun", "Light"], dark: ["moon", "Dark"] };

/** The product, the person, and how the connection is: the same on every page. */
export function Header() {
  return (
    <header className="top">
      <a className="brand" href="/">
        <Logo />
        <span>Modeldeck</span>
      </a>
      <ConnectionBadge />
      <div className="own">
        <User />
        <Help />
        <Colours />
        <SignOut />
      </div>
    </header>
  );
}

function User() {
  const { data } = useSession();
  if (!data || data.kind === "none") return null;
  const name = data.display_name ?? (data.user_id === "local" ? "Local user" : data.user_id);
  return (
    <span className="user" title={`Signed in as ${name}`}>
      <Icon name="user" />
      <span className="sr">Signed in as </span>
      <span className="who">{name}</span>
    </span>
  );
}

function Help() {
  const [shown, setShown] = useState(false);
  const show = () => setShown(true);
  useShortcuts([{ keys: "?", does: "Show this list", run: show }]);
  return (
    <span className="wide-only">
      <Button icon="keyboard" kind="quiet" label="Keyboard shortcuts" onClick={show} />
      {shown && <HelpSheet onClose={() => setShown(false)} />}
    </span>
  );
}

/** Says which colours are on; a press goes on to the next. */
function Colours() {
  const [scheme, next] = useScheme();
  const [icon, word] = SCHEMES[scheme];
  useShortcuts([{ keys: "t", does: "Change the colours", run: next }]);
  return (
    <Button icon={icon} kind="quiet" label={`Colours: ${scheme}. Change`} title="Colours: auto, light or dark" onClick={next}>
      {word}
    </Button>
  );
}

function SignOut() {
  const { connection } = useLiveContext();
  const open = useSession().data?.kind === "none";
  const leave = () => {
    signOut()
      .then(connection.retry)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        // The session had ended already: the stream finds out, and the sign-in page follows.
        if (error.status === 401) connection.retry();
        else notify({ type: "error", title: "Could not sign out", message: error.message });
      });
  };
  return open ? null : <Button icon="signOut" kind="quiet" label="Sign out" onClick={leave} />;
}

function ConnectionBadge() {
  const { phase, trouble } = useConnection();
  const [tone, text] =
    phase === "live" ? (["ok", "Live"] as const)
    : !trouble ? (["idle", "Connecting"] as const)
    : (["warn", "Not live"] as const);
  return (
    <span className={`badge connection ${tone}`} role="status">
      <span className="sr">Connection: </span>
      {text}
    </span>
  );
}
