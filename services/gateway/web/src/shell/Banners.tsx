import { useEffect, useRef, useState, type ReactNode } from "react";
import { useConnection, useLiveContext, useTopic } from "../api/useLive";
import { clock } from "../format";
import { Icon } from "../icons";
import { Button } from "../ui";
import { isReplaced } from "./version";

/** What concerns every page: that its data is old, or that its code is. */
export function Banners() {
  const { trouble } = useConnection();
  const replaced = useReplaced();
  return (
    <div className="banner-place" role="status">
      {trouble ? <Outage /> : replaced && <Replaced />}
    </div>
  );
}

/** Said once an outage has lasted; what is shown below is then of the time named. */
function Outage() {
  const { phase, behind } = useConnection();
  const { connection } = useLiveContext();
  const at = useTopic("queue")?.at;
  const what =
    !navigator.onLine ? "You are offline."
    : behind ? "The gateway has lost its event log."
    : phase === "stale" ? "Connection lost."
    : "The gateway does not answer.";
  return (
    <Banner does="Try now" onPress={connection.retry}>
      <strong>{what}</strong> {at ? `What you see is from ${clock(at)}. ` : ""}This page goes on trying by itself.
    </Banner>
  );
}

function Replaced() {
  return (
    <Banner does="Reload" onPress={() => location.reload()}>
      <strong>Modeldeck was updated.</strong> Reload this page to use the new version.
    </Banner>
  );
}

function Banner({ does, onPress, children }: { does: string; onPress: () => void; children: ReactNode }) {
  return (
    <div className="banner">
      <Icon name="warning" />
      <p>{children}</p>
      <Button onClick={onPress}>{does}</Button>
    </div>
  );
}

/** A gateway that comes back may be a newer one. */
function useReplaced(): boolean {
  const { phase } = useConnection();
  const [replaced, setReplaced] = useState(false);
  const before = useRef(phase);
  useEffect(() => {
    const back = before.current === "stale" && phase === "live";
    before.current = phase;
    if (back) void isReplaced().then((answer) => setReplaced(answer === true));
  }, [phase]);
  return replaced;
}
