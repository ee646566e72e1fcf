import { useMemo, useState } from "react";
import { useTopic } from "../../api/useLive";
import { bytes, fileName } from "../../format";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, type Tone } from "../../ui";
import { ofLock, type Installation, type PlanFile } from "./asked";
import { Flight, WORDS } from "./FileList";
import { InstallButton } from "./InstallButton";
import { useFlying } from "./inFlight";
import type { OpenedLock } from "./opened";
import { Outcome } from "./Outcome";
import { Planned, Space } from "./Planned";
import { files as counted } from "./templates";
import { useInstall } from "./useInstall";

interface Lock {
  workflow?: { name?: unknown };
  files?: unknown;
}

const ALL = ["all"];

/** A lock file: what of it is not there with exactly its bytes, and having that. */
export function LockDrawer({ opened: { id, name, content }, onClose }: { opened: OpenedLock; onClose: () => void }) {
  const [outcome, setOutcome] = useState<Installation>();
  const how = useMemo(() => ofLock(id, content), [id, content]);
  const installing = useInstall({ of: how, missing: outcome ? [] : ALL, onDone: setOutcome });
  const { workflow, files } = content as Lock;
  const of = typeof workflow?.name === "string" ? ` of ${workflow.name}` : "";
  const count = Array.isArray(files) ? files.length : 0;
  return (
    <Drawer title={name} about={`Lock file${of} · ${counted(count)} with ${count === 1 ? "its" : "their"} exact bytes`} onClose={onClose}>
      {outcome ? (
        <>
          <Outcome of={outcome} />
          <Coming outcome={outcome} />
        </>
      ) : (
        <>
          <State
            of={sourceOf(installing.plan)}
            what="the plan"
            lines={4}
            empty={{ when: ({ files: left }) => left.length === 0, icon: "check", say: "There is nothing to install: all of it is there." }}
          >
            {({ files: left, volumes }) => (
              <>
                <section>
                  <h3>{`Misses ${counted(left.length)}`}</h3>
                  <ul className="needed">
                    {left.map((file) => (
                      <Lacking key={file.path} file={file} />
                    ))}
                  </ul>
                </section>
                <Space volumes={volumes} />
              </>
            )}
          </State>
          {installing.plan.data?.files.length !== 0 && !installing.plan.error && (
            <DrawerFoot>
              <InstallButton of={installing} />
            </DrawerFoot>
          )}
        </>
      )}
    </Drawer>
  );
}

function Lacking({ file }: { file: PlanFile }) {
  const { path, action, size_bytes } = file;
  return (
    <li>
      <div className="line">
        <span className="name">{fileName(path)}</span>
        <span className="end muted">{action === "link" ? "linked" : size_bytes == null ? "size unknown" : bytes(size_bytes)}</span>
      </div>
      <Planned file={file} choice="" onChoose={undefined} />
    </li>
  );
}

const TONES: Partial<Record<string, Tone>> = { completed: "ok", installed: "ok", failed: "bad", cancelled: "warn" };

/** What was queued, and how far it is. */
function Coming({ outcome }: { outcome: Installation }) {
  const flying = useFlying(outcome);
  const ended = useTopic("queue")?.data.completed;
  if (outcome.queued.length === 0) return null;
  return (
    <section>
      <h3>Files</h3>
      <ul className="needed">
        {outcome.queued.map(({ path, download_id, status }) => {
          const end = download_id ? ended?.[download_id] : undefined;
          const flight = end ? undefined : flying(path);
          const now = flight?.status ?? end?.status ?? status;
          return (
            <li key={path}>
              <div className="line">
                <span className="name">{fileName(path)}</span>
                <span className="end">
                  <Badge tone={TONES[now] ?? "info"}>{WORDS[now] ?? `${now.charAt(0).toUpperCase()}${now.slice(1)}`}</Badge>
                </span>
              </div>
              {flight && <Flight name={fileName(path)} flight={flight} />}
              {!flight && end?.error && <p className="reason">{end.error}</p>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
