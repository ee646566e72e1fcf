import { useEffect, useState, type ReactNode } from "react";
import { bytes } from "../../format";
import { DrawerFoot } from "../../parts/Drawer";
import { Failure } from "../../ui";
import type { Installable, Installation, PlanFile, TextFile, Wait } from "./asked";
import { FileList } from "./FileList";
import { InstallButton } from "./InstallButton";
import { useFlying } from "./inFlight";
import { OpenComfyui } from "./OpenComfyui";
import { Outcome } from "./Outcome";
import { Planned, sizeOf, Space } from "./Planned";
import { SaveLock } from "./SaveLock";
import { missingFiles, needed, type Needed, type Scan } from "./templates";
import { useInstall } from "./useInstall";
import { Verdict } from "./Verdict";

interface DetailsProps {
  of: Scan;
  how: Installable;
  lock: (wait: Wait) => Promise<TextFile>;
  /** The person came to install: the focus goes to the button once there is a plan. */
  eager?: boolean;
  onInstalled?: () => void;
  /** More buttons. */
  children?: ReactNode;
}

/** A missing file and how it stood: a plan that was made before a file of its name was found is another's. */
const stood = ({ path, status, found_at, candidates }: Scan["missing_models"][number]) => [path, status, found_at, ...(candidates ?? [])].join("\n");

/** All about one workflow: how it stands, what it needs, where each missing file would come from, and having these. */
export function Details({ of: scan, how, lock, eager = false, onInstalled, children }: DetailsProps) {
  const [outcome, setOutcome] = useState<Installation>();
  const flying = useFlying(outcome);
  const missing = missingFiles(scan);
  const waiting = missing.filter((path) => !flying(path));
  const installing = useInstall({
    of: how,
    missing: scan.missing_models.filter(({ path }) => !flying(path)).map(stood),
    onDone: (done) => {
      setOutcome(done);
      onInstalled?.();
    },
  });
  const { plan, files, volumes, choices, choose, todo } = installing;
  const ready = eager && todo.length > 0;
  useEffect(() => {
    if (ready) document.getElementById("install-missing")?.focus({ preventScroll: true });
  }, [ready]);
  const isComing = missing.length > 0 && waiting.length === 0;
  const planned = (file: Needed) => {
    const entry = entryOf(file, files);
    if (!entry) return plan.isFetching ? { size: null, how: <p className="muted">Looking for a source…</p> } : undefined;
    const choice = choices[entry.path] ?? "";
    return {
      size: <Size of={entry} choice={choice} />,
      how: <Planned file={entry} choice={choice} onChoose={(value) => choose(entry.path, value)} />,
    };
  };
  return (
    <>
      <Verdict of={scan} coming={missing.length - waiting.length} />
      {outcome && <Outcome of={outcome} isOver={isComing || missing.length === 0} />}
      {plan.error && waiting.length > 0 && (
        <Failure onRetry={() => void plan.refetch()}>{`How to get these files could not be found out: ${plan.error.message}`}</Failure>
      )}
      <FileList files={needed(scan.references)} flying={flying} planned={planned}>
        <Space volumes={volumes} />
      </FileList>
      <DrawerFoot>
        {children}
        {scan.compatible && scan.references.length > 0 && <SaveLock lock={lock} />}
        {scan.compatible && <OpenComfyui />}
        {waiting.length > 0 && <InstallButton of={installing} />}
        {isComing && (
          <a className="button" href="/models?filter=queue">
            Show the queue
          </a>
        )}
      </DrawerFoot>
    </>
  );
}

/** What the plan says of a file; a name without extension, or of an alias' folder, has another path there. */
function entryOf({ path, filename, form, active, status }: Needed, files: readonly PlanFile[]): PlanFile | undefined {
  if (!active || status === "present") return undefined;
  return (
    files.find((entry) => entry.path === path || (form === "stem" && entry.path.startsWith(`${path}.`))) ??
    files.find((entry) => entry.path.endsWith(`/${filename}`))
  );
}

function Size({ of, choice }: { of: PlanFile; choice: string }) {
  if (!choice && (of.action === "choose" || of.action === "none")) return null;
  const size = sizeOf(of, choice);
  if (!size) return <span className="muted">{size === 0 ? "will be linked" : "size unknown"}</span>;
  return <span className="size">{bytes(size)}</span>;
}
