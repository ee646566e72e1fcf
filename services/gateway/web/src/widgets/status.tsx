import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { bytes } from "../format";
import { State, useTopicSource } from "../state";
import { LEVEL_WORDS, level } from "../thresholds";
import { Badge, Section, type Tone } from "../ui";

type Row = [name: string, tone: Tone, said: string];

/** what works, each with a word and a colour for its real state. */
export function rows({ systemStatus: status, absent }: Topics["overview"]): Row[] {
  const { gpuMemory: gpu } = status;
  const gpuLevel = gpu && level("gpuMemory", gpu.percentage);
  return [
    ["Event log", status.database === "connected" ? "ok" : "bad", status.database],
    [
      "GPU memory",
      gpuLevel ?? "idle",
      gpu && gpuLevel ? `${bytes(gpu.used)} of ${bytes(gpu.total)}, ${LEVEL_WORDS[gpuLevel]}` : "no GPU reported",
    ],
    absent.includes("training")
      ? ["Training server", "idle", "never reported"]
      : ["Training server", status.trainingServer === "online" ? "ok" : "bad", status.trainingServer],
    absent.includes("inference")
      ? ["Inference servers", "idle", "none reported"]
      : ["Inference servers", status.inferenceServers > 0 ? "ok" : "idle", `${status.inferenceServers} active`],
  ];
}

function Status() {
  const source = useTopicSource("overview");
  return (
    <Section id="status" title="System status" at={source.at}>
      <State of={source} what="the system status" lines={2}>
        {(data) => (
          <dl className="statuses">
            {rows(data).map(([name, tone, said]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Badge tone={tone}>{said}</Badge>
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
