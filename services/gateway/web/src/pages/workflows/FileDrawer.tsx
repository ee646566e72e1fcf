import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTopic } from "../../api/useLive";
import { fileName } from "../../format";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, Button, Empty } from "../../ui";
import { ofLock, ofWorkflow, scan, type Installation } from "./asked";
import { FileList, Flight, WORDS } from "./FileList";
import { InstallPlan } from "./InstallPlan";
import { useInFlight } from "./inFlight";
import type { Opened } from "./opened";
import { Outcome } from "./Outcome";
import { missingFiles } from "./templates";
import { Verdict } from "./TemplateDrawer";

/** What an opened file is: a workflow is scanned and not stored, a lock file is planned. */
export function FileDrawer({ opened, onClose }: { opened: Opened; onClose: () => void }) {
  switch (opened.kind) {
    case "refused":
      return (
        <Drawer title={opened.name} about="This file cannot be used" onClose={onClose}>
          <Empty icon="warning">{opened.reason}</Empty>
        </Drawer>
      );
    case "workflow":
      return <WorkflowFile id={opened.id} name={opened.name} content={opened.content} onClose={onClose} />;
    case "lock":
      return <LockFile id={opened.id} name={opened.name} content={opened.content} onClose={onClose} />;
  }
}

interface ContentProps {
  id: string;
  name: string;
  content: object;
  onClose: () => void;
}

function WorkflowFile({ id, name, content, onClose }: ContentProps) {
  const flying = useInFlight();
  const [planning, setPlanning] = useState(false);
  const [outcome, setOutcome] = useState<Installation>();
  const ended = useTopic("queue")?.data.completed;
  const scanned = useQuery({
    // What has ended since may have brought a file.
    queryKey: ["scan", id, Object.keys(ended ?? {}).join()],
    queryFn: () => scan(content),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    retry: false,
  });
  const waiting = scanned.data ? missingFiles(scanned.data).filter((path) => !flying(path)) : [];
  return (
    <Drawer title={name} about="Scanned just now; the file itself is not stored" onClose={onClose}>
      {planning ? (
        <InstallPlan
          of={ofWorkflow(id, content)}
          onBack={() => setPlanning(false)}
          onDone={(done) => {
            setOutcome(done);
            setPlanning(false);
            void scanned.refetch();
          }}
        />
      ) : (
        <>
          <State of={sourceOf(scanned)} what="what it needs" lines={4}>
            {(found) => (
              <>
                <Verdict of={found} />
                {outcome && <Outcome of={outcome} />}
                <FileList references={found.references} flying={flying} />
              </>
            )}
          </State>
          <DrawerFoot>
            {scanned.data && (
              <Button icon="refresh" busy={scanned.isFetching} onClick={() => void scanned.refetch()}>
                Scan again
              </Button>
            )}
            {(scanned.data?.missing_count ?? 0) > 0 && (
              <Button kind="primary" icon="download" disabled={waiting.length === 0} onClick={() => setPlanning(true)}>
                {waiting.length === 0 ? "Installing…" : "Install missing…"}
              </Button>
            )}
          </DrawerFoot>
        </>
      )}
    </Drawer>
  );
}

interface Lock {
  workflow?: { name?: unknown };
  files?: unknown;
}

function LockFile({ id, name, content, onClose }: ContentProps) {
  const [outcome, setOutcome] = useState<Installation>();
  const { workflow, files } = content as Lock;
  const of = typeof workflow?.name === "string" ? ` of ${workflow.name}` : "";
  const count = Array.isArray(files) ? files.length : 0;
  return (
    <Drawer title={name} about={`Lock file${of} · ${count === 1 ? "1 file" : `${count} files`} with their exact bytes`} onClose={onClose}>
      {outcome ? (
        <>
          <Outcome of={outcome} />
          <Coming files={outcome.queued} />
        </>
      ) : (
        <InstallPlan of={ofLock(id, content)} back="Not now" onBack={onClose} onDone={setOutcome} />
      )}
    </Drawer>
  );
}

/** What was queued, and how far it is. */
function Coming({ files }: { files: Installation["queued"] }) {
  const flying = useInFlight();
  const ended = useTopic("queue")?.data.completed;
  if (files.length === 0) return null;
  return (
    <section>
      <h3>Files</h3>
      <ul className="needed">
        {files.map(({ path, download_id, status }) => {
          const flight = flying(path);
          const end = download_id ? ended?.[download_id] : undefined;
          const now = flight?.status ?? end?.status ?? status;
          const tone = now === "completed" || now === "installed" ? "ok" : now === "failed" ? "bad" : "info";
          return (
            <li key={path}>
              <div className="line">
                <span className="name">{fileName(path)}</span>
                <span className="end">
                  <Badge tone={tone}>{WORDS[now] ?? `${now.charAt(0).toUpperCase()}${now.slice(1)}`}</Badge>
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
