import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import { useCommand } from "../../api/commands";
import { useLiveContext } from "../../api/useLive";
import { bytes, fileName } from "../../format";
import { Badge, Button } from "../../ui";
import { deleteFile, NeededError, tellDeleted, type Deleted, type Doomed } from "./commands";
import { useRefreshing, type NeededBy } from "./data";

interface DeleteDialogProps {
  files: readonly Doomed[];
  onClose: () => void;
  onDeleted?: (paths: readonly string[]) => void;
}

const KINDS: Record<NeededBy["kind"], string> = { preset: "Preset", template: "Workflow", download: "Download" };

/** Who would miss a file; with links to the presets where there is nothing to decide first. */
export function NeededList({ of, linked = false }: { of: readonly NeededBy[]; linked?: boolean }) {
  return (
    <ul className="needed-by">
      {of.map(({ kind, id, name }) => (
        <li key={`${kind} ${id}`}>
          <Badge tone="idle">{KINDS[kind]}</Badge>
          {linked && kind === "preset" ? (
            <a className="name" href={`/models?preset=${encodeURIComponent(id)}`}>
              {name}
            </a>
          ) : (
            <span className="name">{name}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Says what would be freed, what would break, and what can be had again, before anything is deleted. */
export function DeleteDialog({ files, onClose, onDeleted }: DeleteDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const { connection } = useLiveContext();
  const { run } = useCommand();
  const refresh = useRefreshing();
  const [found, setFound] = useState<ReadonlyMap<string, readonly NeededBy[]>>(new Map());
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  const needs = (file: Doomed) => found.get(file.path) ?? file.needed_by ?? [];
  const neededBy = distinct(files.flatMap(needs));
  const gone = useRef<Deleted[]>([]);
  const remove = useMutation({
    networkMode: "always",
    mutationFn: async () => {
      for (const file of files) {
        if (gone.current.some(({ path }) => path === file.path)) continue;
        gone.current.push(await deleteFile(file.path, needs(file).length > 0));
      }
    },
    onSuccess: () => close(),
    onError: (error, _, __) => {
      if (error instanceof NeededError) {
        const path = files.find((file) => !gone.current.some((done) => done.path === file.path))?.path;
        if (path) setFound((before) => new Map(before).set(path, error.neededBy));
      } else if (!(error instanceof ApiError)) throw error;
      else if (error.status === 401) connection.retry();
    },
  });
  const closed = () => {
    if (gone.current.length > 0) {
      tellDeleted(gone.current, run);
      onDeleted?.(gone.current.map(({ path }) => path));
      refresh();
    }
    onClose();
  };
  const [first] = files;
  const size = files.reduce((sum, file) => sum + (file.size_bytes ?? 0), 0);
  const lost = files.filter((file) => file.restorable === false);
  const what = files.length === 1 ? fileName(first?.path ?? "") : `${files.length} files`;
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={closed}>
      <h2 id={heading}>Delete {what}?</h2>
      {files.length === 1 ? (
        <p className="muted path">{first?.path}</p>
      ) : (
        <ul className="doomed" role="group" tabIndex={0} aria-label="Files to delete">
          {files.map((file) => (
            <li key={file.path}>
              <span className="path">{file.path}</span>
              <span className="muted">{file.size_bytes == null ? "" : bytes(file.size_bytes)}</span>
            </li>
          ))}
        </ul>
      )}
      <p>{size > 0 ? `This frees up to ${bytes(size)}.` : "How much this frees is not known."}</p>
      {neededBy.length > 0 && (
        <div className="note warn" role="alert">
          <p>
            <strong>{neededBy.length === 1 ? "This stops working without it:" : "These stop working without it:"}</strong>
          </p>
          <NeededList of={neededBy} />
        </div>
      )}
      {lost.length > 0 ? (
        <p className="reason">
          {files.length === 1 ? "It cannot be brought back" : `${lost.length} of them cannot be brought back`}: nobody knows where to have the same bytes.
        </p>
      ) : (
        first?.restorable && <p className="muted">It can be undone: the same bytes are fetched again and verified.</p>
      )}
      {remove.error && !(remove.error instanceof NeededError) && (
        <p className="reason" role="alert">
          {remove.error.message}
        </p>
      )}
      <div className="buttons">
        <Button onClick={close}>Keep {files.length === 1 ? "it" : "them"}</Button>
        <Button kind="danger" icon="trash" busy={remove.isPending} disabled={remove.isPending} onClick={() => remove.mutate()}>
          {neededBy.length > 0 ? "Delete anyway" : "Delete"}
        </Button>
      </div>
    </dialog>
  );
}

function distinct(of: readonly NeededBy[]): NeededBy[] {
  return [...new Map(of.map((need) => [`${need.kind} ${need.id}`, need])).values()];
}
