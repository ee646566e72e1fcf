import { ApiError } from "../api/client";
import { signOut } from "../api/session";
import { useConnection, useLiveContext, useTopic } from "../api/useLive";
import { useDashboard } from "../board/useBoard";
import { clock } from "../format";
import { Icon, type IconName } from "../icons";
import { useScheme, type Scheme } from "../theme";
import { notify } from "../toasts";
import { Button } from "../ui";
import { HelpSheet } from "./HelpSheet";
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

const SCHEME_ICONS: Record<Scheme, IconName> = { auto: "screen", light: "sun", dark: "moon" };

/** The product, the person, and how the connection is: the same on every page. */
export function Header() {
  const [scheme, nextScheme] = useScheme();
  const { connection } = useLiveContext();
  useShortcuts([{ keys: "t", does: "Change the colours", run: nextScheme }]);
  const leave = () => {
    signOut()
      .then(connection.retry)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        notify({ type: "error", title: "Could not sign out", message: error.message });
      });
  };
  return (
    <header className="top">
      <a className="brand" href="/">
        <Logo />
        <span>Modeldeck</span>
      </a>
      <ConnectionBadge />
      <div className="own">
        <User />
        <HelpSheet />
        <Button icon={SCHEME_ICONS[scheme]} kind="quiet" label={`Colours: ${scheme}. Change`} onClick={nextScheme} />
        <Button icon="signOut" kind="quiet" label="Sign out" onClick={leave} />
      </div>
    </header>
  );
}

function User() {
  const name = useDashboard().data?.user_id;
  if (!name) return null;
  return (
    <span className="user" title={`Signed in as ${name}`}>
      <Icon name="user" />
      <span className="sr">Signed in as </span>
      <span>{name}</span>
    </span>
  );
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

/** Said once an outage has lasted; what is shown below is then of the time named. */
export function OutageBanner() {
  const { phase, behind, trouble } = useConnection();
  const { connection } = useLiveContext();
  const at = useTopic("queue")?.at;
  return (
    <div className="banner-place" role="status">
      {trouble && (
        <div className="banner">
          <Icon name="warning" />
          <p>
            <strong>
              {!navigator.onLine ? "You are offline."
              : behind ? "The gateway has lost its event log."
              : phase === "stale" ? "Connection lost."
              : "The gateway does not answer."}
            </strong>{" "}
            {at ? `What you see is of ${clock(at)}. ` : ""}Trying again by itself.
          </p>
          <Button onClick={connection.retry}>Try now</Button>
        </div>
      )}
    </div>
  );
}
