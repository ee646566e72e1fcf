import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { answer, api } from "../api/client";
import type { Preset } from "../api/types";
import { bytes } from "../format";
import { sourceOf, State } from "../state";
import { Badge, Button } from "../ui";

/** What a preset brings: its files with their places and sizes. */
export default function PresetDialog({ preset, onClose }: { preset: Preset; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const details = useQuery({
    queryKey: ["preset", preset.id],
    queryFn: () => answer(api.GET("/api/v1/presets/{preset_id}", { params: { path: { preset_id: preset.id } } })),
    retry: false,
  });
  useEffect(() => dialog.current?.showModal(), []);
  const { name, description, type, category, size_bytes, download_size, version, tags = [] } = preset;
  return (
    <dialog ref={dialog} className="wide" aria-labelledby="preset-title" onClose={onClose}>
      <h2 id="preset-title">{name}</h2>
      <p className="muted">
        {[size_bytes ? bytes(size_bytes) : download_size, type, category, version && `version ${version}`].filter(Boolean).join(" · ")}
      </p>
      {description && <p>{description}</p>}
      {tags.length > 0 && (
        <ul className="tags" aria-label="Tags">
          {tags.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
      <State of={sourceOf(details)} what="the files" lines={3}>
        {({ files = [] }) => (
          <ul className="files">
            {files?.map(({ path, size_bytes: size, installed }) => (
              <li key={path}>
                <code>{path}</code>
                <span className="muted">{size == null ? "size unknown" : bytes(size)}</span>
                <Badge tone={installed ? "ok" : "idle"}>{installed ? "On the disk" : "Not there yet"}</Badge>
              </li>
            ))}
          </ul>
        )}
      </State>
      <div className="buttons">
        <Button onClick={() => dialog.current?.close()}>Close</Button>
      </div>
    </dialog>
  );
}
