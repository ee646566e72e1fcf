import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { bytes } from "../format";
import { State, useTopicSource } from "../state";
import { LEVEL_WORDS, level } from "../thresholds";
import { Badge, Section, type Tone } from "../ui";

interface Row {
  name: string;
  tone: Tone;
  said: string;
  /** Why it is so. */
  reason?: string | undefined;
}

type Overview = Topics["overview"];
type Comfyui = NonNullable<Overview["systemStatus"]["comfyui"]>[string];

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function services(services: Record<string, boolean>): Row[] {
  const down = Object.keys(services).filter((name) => !services[name]);
  if (down.length === 0) return [{ name: "Services", tone: "ok", said: "all running" }];
  return down.map((name) => ({ name: capital(name), tone: "bad", said: "down", reason: "What it does waits until it is back." }));
}

function comfyui(name: string, { status, running, pending, version, error }: Comfyui): Row {
  if (status === "silent") return { name, tone: "warn", said: "not heard of", reason: "Nobody has looked at it for more than a minute." };
  if (status === "away") return { name, tone: "bad", said: "cannot be reached", reason: error ?? undefined };
  const work = running || pending ? [running && `${running} running`, pending && `${pending} waiting`].filter(Boolean).join(", ") : "idle";
  return { name, tone: "ok", said: running == null && pending == null ? "online" : work, reason: version ? `Version ${version}` : undefined };
}

/** what works, each with a word and a colour for its real state. */
export function rows({ systemStatus: status, absent }: Overview): Row[] {
  const { gpuMemory: gpu } = status;
  const gpuLevel = gpu && level("gpuMemory", gpu.percentage);
  const watched = Object.entries(status.comfyui ?? {});
  return [
    { name: "Event log", tone: status.database === "connected" ? "ok" : "bad", said: status.database },
    ...(status.services ? services(status.services) : []),
    ...watched.map(([source, state]) => comfyui(watched.length > 1 ? `ComfyUI ${source}` : "ComfyUI", state)),
    gpu && gpuLevel
      ? { name: "GPU memory", tone: gpuLevel, said: `${bytes(gpu.used)} of ${bytes(gpu.total)}, ${LEVEL_WORDS[gpuLevel]}` }
      : { name: "GPU memory", tone: "idle", said: "no GPU reported" },
    absent.includes("training")
      ? { name: "Training server", tone: "idle", said: "never reported" }
      : { name: "Training server", tone: status.trainingServer === "online" ? "ok" : "bad", said: status.trainingServer },
    absent.includes("inference")
      ? { name: "Inference servers", tone: "idle", said: "none reported" }
      : { name: "Inference servers", tone: status.inferenceServers > 0 ? "ok" : "idle", said: `${status.inferenceServers} active` },
  ];
}

function Status() {
  const source = useTopicSource("overview");
  return (
    <Section id="status" title="System status" at={source.at}>
      <State of={source} what="the system status" lines={3}>
        {(data) => (
          <dl className="statuses">
            {rows(data).map(({ name, tone, said, reason }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Badge tone={tone}>{said}</Badge>
                  {reason && <small className={tone === "bad" ? "reason" : "muted"}>{reason}</small>}
                </dd>
              </div>
            ))}
          </dl>
        )}
      </State>
    </Section>
  );
}

export default { id: "system-status", title: "System status", order: 70, w: 2, h: 1, topics: ["overview"], component: Status } satisfies Widget;
