import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ApiError } from "../../api/client";
import { useLiveContext } from "../../api/useLive";
import { bytes, fileName } from "../../format";
import { DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, Button } from "../../ui";
import { isUrl, patiently, type Choices, type Installable, type Installation, type PlanFile, type Source, type WorkflowPlan } from "./asked";
import { hostOf } from "./FileList";
import { files as countFiles } from "./templates";

interface InstallPlanProps {
  of: Installable;
  back?: string;
  onBack: () => void;
  onDone: (outcome: Installation) => void;
}

/** What would happen, file by file and volume by volume, with a say in what is open; nothing happens before the button. */
export function InstallPlan({ of, back = "Back", onBack, onDone }: InstallPlanProps) {
  const { connection } = useLiveContext();
  const [choices, setChoices] = useState<Choices>({});
  const plan = useQuery({ queryKey: of.key, queryFn: of.plan, ...patiently, staleTime: 0, gcTime: 0, refetchOnReconnect: false });
  const install = useMutation({
    mutationFn: () => of.install(valid(choices)),
    onSuccess: onDone,
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
    networkMode: "always",
  });
  const choose = (path: string, choice: string) => setChoices(({ [path]: _, ...rest }) => (choice ? { ...rest, [path]: choice } : rest));
  const todo = plan.data?.files.filter((file) => isDecided(file, choices)) ?? [];
  return (
    <>
      {plan.isPending && plan.failureReason && <p role="status">{plan.failureReason.message} Waiting…</p>}
      <State
        of={sourceOf(plan)}
        what="the plan"
        lines={4}
        empty={{ when: ({ files }) => files.length === 0, icon: "check", say: "There is nothing to install: all of it is there." }}
      >
        {(found) => <Plan plan={found} choices={choices} onChoose={of.takesChoices ? choose : undefined} />}
      </State>
      <DrawerFoot>
        {install.error && (
          <p className="reason" role="alert">
            {install.error.message}
          </p>
        )}
        <Button onClick={onBack}>{back}</Button>
        {plan.data && plan.data.files.length > 0 && (
          <Button kind="primary" icon="download" busy={install.isPending} disabled={todo.length === 0 || install.isPending} onClick={() => install.mutate()}>
            {label(todo)}
          </Button>
        )}
      </DrawerFoot>
    </>
  );
}

/** Only addresses that are whole are sent; what is typed halfway counts as no choice. */
function valid(choices: Choices): Choices {
  return Object.fromEntries(Object.entries(choices).filter(([, choice]) => !isAddressTyped(choice) || hostOf(choice)));
}

function isAddressTyped(choice: string): boolean {
  return isUrl(choice) || choice.startsWith("http");
}

function isDecided(file: PlanFile, choices: Choices): boolean {
  return file.action === "download" || file.action === "link" || valid(choices)[file.path] !== undefined;
}

function label(todo: readonly PlanFile[]): string {
  if (todo.length === 0) return "Install";
  const size = todo.reduce((sum, file) => sum + (file.action === "download" ? (file.size_bytes ?? 0) : 0), 0);
  return `Install ${countFiles(todo.length)}${size > 0 ? ` · ${bytes(size)}` : ""}`;
}

interface PlanProps {
  plan: WorkflowPlan;
  choices: Choices;
  onChoose: ((path: string, choice: string) => void) | undefined;
}

function Plan({ plan: { files, volumes }, choices, onChoose }: PlanProps) {
  return (
    <>
      <section>
        <h3>What will happen</h3>
        <ol className="needed">
          {files.map((file) => (
            <PlannedFile key={file.path} file={file} choice={choices[file.path] ?? ""} onChoose={onChoose && ((choice) => onChoose(file.path, choice))} />
          ))}
        </ol>
      </section>
      {volumes.length > 0 && (
        <section>
          <h3>Space</h3>
          <ul className="needed">
            {volumes.map((volume) => (
              <li key={volume.path}>
                <div className="line">
                  <span className="name">Volume {volume.path}</span>
                  <span className="end">{volume.fits ? <Badge tone="ok">Fits</Badge> : <Badge tone="bad">Too little space</Badge>}</span>
                </div>
                <p className="muted">
                  {bytes(volume.needed_bytes)} needed of {bytes(volume.free_bytes)} free
                  {volume.reserved_bytes > 0 && `, ${bytes(volume.reserved_bytes)} of it reserved by the queue`}
                  {volume.shared_bytes > 0 && ` · ${bytes(volume.shared_bytes)} shared with what is there`}
                </p>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

interface PlannedFileProps {
  file: PlanFile;
  choice: string;
  onChoose: ((choice: string) => void) | undefined;
}

function PlannedFile({ file, choice, onChoose }: PlannedFileProps) {
  const { path, action, source, size_bytes, from_path, candidates, alternatives, message, conflict } = file;
  const folder = path.slice(0, path.lastIndexOf("/"));
  return (
    <li>
      <div className="line">
        <span className="name">{fileName(path)}</span>
        <span className="end muted">{action === "download" ? (size_bytes == null ? "size unknown" : bytes(size_bytes)) : action === "link" ? "linked" : ""}</span>
      </div>
      {action === "download" && source && (
        <p className="muted">
          to {folder || "the models folder"} · from {origin(source)}
        </p>
      )}
      {action === "link" && <p className="muted">It is there as {from_path}: it gets a second name, and nothing is fetched.</p>}
      {message && action !== "choose" && <p className={action === "none" ? "reason" : "muted"}>{message}</p>}
      {conflict && <p className="reason">{conflict}</p>}
      {action === "choose" && onChoose && <Candidates path={path} candidates={candidates ?? []} choice={choice} onChoose={onChoose} />}
      {action === "none" && onChoose && <Address path={path} choice={choice} onChoose={onChoose} />}
      {action === "download" && onChoose && (alternatives?.length ?? 0) > 0 && (
        <label className="field">
          <span>Source</span>
          <select value={choice} onChange={(event) => onChoose(event.target.value)} aria-label={`Source of ${fileName(path)}`}>
            <option value="">{source ? origin(source) : "as planned"}</option>
            {alternatives?.map((other) => (
              <option key={other.url} value={other.url}>
                {origin(other)}
              </option>
            ))}
          </select>
        </label>
      )}
    </li>
  );
}

function origin({ kind, name, url, repo }: Source): string {
  const host = hostOf(url) ?? url;
  switch (kind) {
    case "workflow":
      return `${host}, as the workflow says`;
    case "preset":
      return `${host}, as the preset ${name} has it`;
    case "repository":
      return `${host}, repository ${repo ?? name}`;
    case "download":
      return `${host}, where it was had before`;
    default:
      return host;
  }
}

function Candidates({ path, candidates, choice, onChoose }: { path: string; candidates: readonly string[]; choice: string; onChoose: (choice: string) => void }) {
  const group = useId();
  return (
    <fieldset className="choices">
      <legend>Several files there have this name. Which one is meant by {path}?</legend>
      {candidates.map((candidate) => (
        <label key={candidate}>
          <input type="radio" name={group} checked={choice === candidate} onChange={() => onChoose(candidate)} />
          <span>{candidate}</span>
        </label>
      ))}
      <label>
        <input type="radio" name={group} checked={choice === ""} onChange={() => onChoose("")} />
        <span>None of them: leave it for now</span>
      </label>
    </fieldset>
  );
}

function Address({ path, choice, onChoose }: { path: string; choice: string; onChoose: (choice: string) => void }) {
  return (
    <label className="field">
      <span>Fetch it from</span>
      <input
        type="url"
        placeholder="https://… (optional)"
        aria-label={`Address of ${fileName(path)}`}
        value={choice}
        onChange={(event) => onChoose(event.target.value.trim())}
      />
    </label>
  );
}
