import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import { useCommand } from "../../api/commands";
import { useLiveContext } from "../../api/useLive";
import { bytes, fileName } from "../../format";
import { Badge, Button } from "../../ui";
import { deleteFile, NeededError, tellDeleted, type Deleted, type Doomed } from "./commands";
import { useRefreshing, type NeededBy } from "./data";
import "./deleting.css";

interface DeleteDialogProps {
  files: readonly Doomed[];
  onClose: () => void;
  onDeleted?: (paths: readonly string[]) => void;
}

const KINDS: Record<NeededBy["kind"], string> = { preset: "Preset", template: "Workflow", download: "Download" };

const PLACES: Partial<Record<NeededBy["kind"], (id: string) => string>> = {
  preset: (id) => `/models?preset=${encodeURIComponent(id)}`,
  template: () => "/workflows",
};

interface NeededListProps {
  of: readonly NeededBy[];
  /** The links lead away from a question: they open beside it. */
  beside?: boolean;
}

/** Who would miss a file, each with a link to it. */
export function NeededList({ of, beside = false }: NeededListProps) {
  return (
    <ul className="needed-by">
      {of.map(({ kind, id, name }) => {
        const href = PLACES[kind]?.(id);
        return (
          <li key={`${kind} ${id}`}>
            <Badge tone="idle">{KINDS[kind]}</Badge>
            {href ? (
              <a className="name" href={href} {...(beside ? { target: "_blank", rel: "noreferrer" } : {})}>
                {name}
                {beside && <span className="sr">, in a new tab</span>}
              </a>
            ) : (
              <span className="name">{name}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Deletes one file after the other; what was deleted stays so when a later one is refused. */
function useDeleting(needs: (file: Doomed) => readonly NeededBy[], onNeeded: (path: string, by: readonly NeededBy[]) => void, onDone: () => void) {
  const { connection } = useLiveContext();
  const [gone, setGone] = useState<readonly Deleted[]>([]);
  // Of what was deleted a moment ago the dialog has to tell although it is closed before it is drawn again.
  const all = useRef<readonly Deleted[]>(gone);
  const remove = useMutation({
    networkMode: "always",
    mutationFn: async (files: readonly Doomed[]) => {
      for (const file of files) {
        if (all.current.some(({ path }) => path === file.path)) continue;
        try {
          all.current = [...all.current, await deleteFile(file.path, needs(file).length > 0)];
          setGone(all.current);
        } catch (error) {
          if (error instanceof NeededError) onNeeded(file.path, error.neededBy);
          throw error;
        }
      }
    },
    onSuccess: onDone,
    onError: (error) => {
      if (error instanceof NeededError) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
  });
  return { gone, all, remove };
}

/** Says what would be freed, what would break, and what can be had again, before anything is deleted. */
export function DeleteDialog({ files, onClose, onDeleted }: DeleteDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const { run } = useCommand();
  const refresh = useRefreshing();
  const [found, setFound] = useState<ReadonlyMap<string, readonly NeededBy[]>>(new Map());
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  const needs = (file: Doomed) => found.get(file.path) ?? file.needed_by ?? [];
  const { gone, all, remove } = useDeleting(needs, (path, by) => setFound((before) => new Map(before).set(path, by)), close);
  const closed = () => {
    if (all.current.length > 0) {
      tellDeleted(all.current, run);
      onDeleted?.(all.current.map(({ path }) => path));
      refresh();
    }
    onClose();
  };
  const left = files.filter(({ path }) => !gone.some((done) => done.path === path));
  const needed = left.filter((file) => needs(file).length > 0);
  const others = left.filter((file) => needs(file).length === 0);
  const inPart = needed.length > 0 && others.length > 0;
  const going = new Set(files.map(({ path }) => path));
  const [only] = files;
  const what = files.length === 1 ? fileName(only?.path ?? "") : `${files.length} files`;
  const doing = remove.isPending ? remove.variables.length : 0;
  return (
    <dialog ref={dialog} className={files.length > 1 ? "deleting wide" : "deleting"} aria-labelledby={heading} onClose={closed}>
      <h2 id={heading}>Delete {what}?</h2>
      {files.length === 1 ? <p className="muted path">{only?.path}</p> : <DoomedList title="Nothing needs these" files={others} going={going} />}
      {needed.length > 0 && (
        <div className="note warn" role="alert">
          <p>
            <strong>{needed.length > 1 ? `These ${needed.length} are needed. Without them this stops working:` : files.length > 1 ? "One of them is needed. Without it this stops working:" : "This stops working without it:"}</strong>
          </p>
          {files.length > 1 && <DoomedList title="Needed files" files={needed} going={going} />}
          <NeededList of={distinct(needed.flatMap(needs))} beside />
        </div>
      )}
      <p>{summary(inPart ? others : left, going, inPart ? "The others free" : left.length > 1 ? "They free" : "This frees")}</p>
      {remove.error && !(remove.error instanceof NeededError) && (
        <p className="reason" role="alert">
          {remove.error.message}
        </p>
      )}
      {(doing > 1 || gone.length > 0) && (
        <p className="muted" role="status">{`${gone.length} of ${Math.max(doing, gone.length)} deleted, ${bytes(freedBy(gone))} freed.`}</p>
      )}
      <div className="buttons">
        <Button onClick={close}>{gone.length > 0 ? "Stop here" : `Keep ${files.length === 1 ? "it" : "them"}`}</Button>
        {needed.length > 0 && (
          <Button kind="danger" icon="trash" busy={remove.isPending} disabled={remove.isPending} onClick={() => remove.mutate(left)}>
            {inPart ? "Delete all anyway" : "Delete anyway"}
          </Button>
        )}
        {others.length > 0 && (
          <Button kind={inPart ? "primary" : "danger"} icon="trash" busy={remove.isPending} disabled={remove.isPending} onClick={() => remove.mutate(others)}>
            {!inPart ? "Delete" : others.length === 1 ? "Delete only the other one" : `Delete only the other ${others.length}`}
          </Button>
        )}
      </div>
    </dialog>
  );
}

/** Whether nobody can have the same bytes again once all of `going` went. */
function isLost({ restorable, duplicates }: Doomed, going: ReadonlySet<string>): boolean {
  return restorable === false && !duplicates?.some((path) => !going.has(path));
}

function freedBy(files: readonly Deleted[]): number {
  return files.reduce((sum, { freed_bytes }) => sum + freed_bytes, 0);
}

/** What is gained, and what cannot be had again. */
function summary(files: readonly Doomed[], going: ReadonlySet<string>, frees: string): string {
  const size = files.reduce((sum, file) => sum + (file.size_bytes ?? 0), 0);
  const lost = files.filter((file) => isLost(file, going)).length;
  const stays = files.some((file) => file.restorable === false) && lost === 0;
  const freed = size > 0 ? `${frees} up to ${bytes(size)}.` : "How much this frees is not known.";
  if (lost > 0) return `${freed} ${files.length === 1 ? "It cannot be brought back" : lost === files.length ? "None of them can be brought back" : `${lost} of them cannot be brought back`}: nobody knows where to have the same bytes.`;
  if (stays) return `${freed} The same content stays here under another name.`;
  return files.every(({ restorable }) => restorable) ? `${freed} It can be undone: the same bytes are fetched again and verified.` : freed;
}

interface DoomedListProps {
  title: string;
  files: readonly Doomed[];
  going: ReadonlySet<string>;
}

function DoomedList({ title, files, going }: DoomedListProps) {
  if (files.length === 0) return null;
  const lost = files.filter((file) => isLost(file, going));
  return (
    <ul className="doomed" tabIndex={0} aria-label={title}>
      {files.toSorted((a, b) => (b.size_bytes ?? 0) - (a.size_bytes ?? 0)).map((file) => (
        <li key={file.path}>
          <span className="path">
            {file.path}
            {lost.length < files.length && lost.includes(file) && <small className="reason">Cannot be brought back</small>}
          </span>
          <span className="muted">{file.size_bytes == null ? "" : bytes(file.size_bytes)}</span>
        </li>
      ))}
    </ul>
  );
}

function distinct(of: readonly NeededBy[]): NeededBy[] {
  return [...new Map(of.map((need) => [`${need.kind} ${need.id}`, need])).values()];
}
