import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { answer, api, ApiError } from "../../api/client";
import type { Edit } from "../../api/live";
import type { QueueTopic } from "../../api/types";
import { useLiveContext } from "../../api/useLive";
import { bytes } from "../../format";
import { State, useTopicSource } from "../../state";
import { Section } from "../../ui";
import { Refusal, Switch, useWanted } from "./parts";

const MB = 1_000_000;

interface Change {
  max_concurrent?: number;
  bandwidth_limit?: number | null;
  paused?: boolean;
}

/** The same change as the queue shows it. */
function edit({ bandwidth_limit, ...rest }: Change): Edit {
  return { topic: "queue", path: [], patch: { ...rest, ...(bandwidth_limit !== undefined && { bandwidth_limit_bps: bandwidth_limit }) } };
}

/** How the pool downloads, also while it does: shown at once, taken back with the server's reason. */
export function Downloads() {
  const queue = useTopicSource("queue");
  const { store, connection } = useLiveContext();
  const save = useMutation({
    mutationFn: (body: Change) => answer(api.PATCH("/api/v1/downloads/settings", { body })),
    onMutate: (change) => store.expect([edit(change)]),
    onSuccess: (_, __, settle) => settle(true),
    onError: (error, _, settle) => {
      settle?.(false);
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
    },
    scope: { id: "queue" },
    networkMode: "always",
  });
  return (
    <Section id="download-settings" title="Downloads" at={queue.at}>
      <State of={queue} what="the download settings" lines={3}>
        {(now) => <Fields now={now} onSave={(change) => save.mutateAsync(change)} />}
      </State>
      <Refusal error={save.error} />
    </Section>
  );
}

function Fields({ now, onSave }: { now: QueueTopic; onSave: (change: Change) => Promise<unknown> }) {
  const limit = now.bandwidth_limit_bps ?? undefined;
  return (
    <>
      <Field
        label="At a time"
        about="How many downloads run side by side, 1 to 64."
        unit="downloads"
        value={`${now.max_concurrent}`}
        min={1}
        max={64}
        step={1}
        required
        onSave={(text) => onSave({ max_concurrent: Number(text) })}
      />
      <Field
        label="Bandwidth"
        about={limit ? `All transfers together take at most ${bytes(limit)}/s. Empty for no limit.` : "All transfers together. Empty: no limit."}
        unit="MB/s"
        value={limit ? `${limit / MB}` : ""}
        min={0.001}
        step="any"
        onSave={(text) => onSave({ bandwidth_limit: text === "" ? null : Math.round(Number(text) * MB) })}
      />
      <Switch
        checked={now.paused}
        onSave={(paused) => onSave({ paused })}
        label="Pause the whole queue"
        about="Running downloads stop and keep what they have; nothing new begins."
      />
    </>
  );
}

interface FieldProps {
  label: string;
  about: string;
  unit: string;
  /** As the server has it. */
  value: string;
  min: number;
  max?: number;
  step: number | "any";
  required?: boolean;
  onSave: (text: string) => Promise<unknown>;
}

/** A number that is saved by Enter or its button; until then, what others change does not overwrite what is typed. */
function Field({ label, about, unit, value, onSave, ...limits }: FieldProps) {
  const [typed, setTyped] = useState<string>();
  const [shown, save] = useWanted(value, onSave);
  const id = useId();
  const changed = typed !== undefined && typed !== shown;
  return (
    <form
      className="setting"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed) save(typed);
        setTyped(undefined);
      }}
    >
      <label htmlFor={id}>
        {label}
        <small>{about}</small>
      </label>
      <span className="amount">
        <input id={id} type="number" inputMode="decimal" value={typed ?? shown} onChange={(event) => setTyped(event.target.value)} {...limits} />
        <span className="muted">{unit}</span>
        <button type="submit" className="button" disabled={!changed} aria-label={`Save ${label.toLowerCase()}`}>
          Save
        </button>
      </span>
    </form>
  );
}
