import { useEffect } from "react";
import { pauseQueue, refreshPresets, useCommand } from "./api/commands";
import { signOut } from "./api/session";
import { useConnection, useLiveContext, useTopic } from "./api/useLive";
import { ApiError } from "./api/client";
import { notify } from "./toasts";
import { useScheme, type Scheme } from "./theme";
import { clock, percent } from "./format";
import { Icon, type IconName } from "./icons";
import { Button } from "./ui";

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

export function Header() {
  const [scheme, nextScheme] = useScheme();
  const { connection } = useLiveContext();
  const queue = useTopic("queue")?.data;
  const { run } = useCommand();
  const refresh = useCommand("catalog");
  useTitle(queue?.current ? queue.active[queue.current]?.progress : undefined);
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
      <div className="brand">
        <Logo />
        <div>
          <h1>Modeldeck</h1>
          <p className="muted">Models arrive here, verified.</p>
        </div>
        <ConnectionBadge />
      </div>
      <nav aria-label="Quick actions">
        <a className="button" href="#presets">
          <Icon name="presets" />
          <span>Browse presets</span>
        </a>
        <a className="button" href="#activity">
          <Icon name="activity" />
          <span>See activity</span>
        </a>
        <Button icon="refresh" busy={refresh.pending} disabled={refresh.pending} onClick={() => refresh.run(refreshPresets())}>
          {refresh.pending ? "Refreshing…" : "Refresh catalog"}
        </Button>
        {queue?.paused ? (
          <Button icon="play" kind="primary" onClick={() => run(pauseQueue(false))}>
            Resume queue
          </Button>
        ) : (
          <a className="button" href="/docs">
            <Icon name="code" />
            <span>API reference</span>
          </a>
        )}
      </nav>
      <div className="own">
        <Button icon={SCHEME_ICONS[scheme]} label={`Colours: ${scheme}. Change`} onClick={nextScheme} />
        <Button icon="signOut" label="Sign out" onClick={leave} />
      </div>
    </header>
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
  const { phase, trouble } = useConnection();
  const { connection } = useLiveContext();
  const at = useTopic("queue")?.at;
  return (
    <div className="banner-place" role="status">
      {trouble && (
        <div className="banner">
          <Icon name="warning" />
          <p>
            <strong>{phase === "stale" ? "Connection lost." : "The gateway does not answer."}</strong>{" "}
            {at ? `What you see is of ${clock(at)}. ` : ""}Trying again by itself.
          </p>
          <Button onClick={connection.retry}>Try now</Button>
        </div>
      )}
    </div>
  );
}

/** Progress stays in sight in the tab's title. */
function useTitle(progress: number | null | undefined): void {
  const text = progress == null ? "Modeldeck" : `${percent(progress)} · Modeldeck`;
  useEffect(() => {
    document.title = text;
  }, [text]);
}
