import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { bytes } from "../format";
import { State, useTopicSource } from "../state";
import { Badge, Section, type Tone } from "../ui";

type Disk = Topics["disk-health"];

const STATUS: Record<Disk["status"], [string, Tone]> = {
  ok: ["Healthy", "ok"],
  warning: ["Filling up", "warn"],
  critical: ["Nearly full", "bad"],
  error: ["Not readable", "bad"],
  absent: ["No reading", "idle"],
};
/** The gauge is three quarters of a circle, open at the bottom, on a 120 x 120 grid. */
const CENTRE = 60;
const RADIUS = 50;
const SPAN = 270;

function point(fraction: number, radius: number): string {
  const angle = ((135 + SPAN * fraction) * Math.PI) / 180;
  return `${(CENTRE + radius * Math.cos(angle)).toFixed(2)} ${(CENTRE + radius * Math.sin(angle)).toFixed(2)}`;
}

export function arc(from: number, to: number): string {
  return `M${point(from, RADIUS)}A${RADIUS} ${RADIUS} 0 ${(to - from) * SPAN > 180 ? 1 : 0} 1 ${point(to, RADIUS)}`;
}

function DiskHealth() {
  const source = useTopicSource("disk-health");
  return (
    <Section id="disk" title="Disk health" at={source.at}>
      <State
        of={source}
        what="disk health"
        empty={{ when: ({ status }) => status === "absent", icon: "disk", say: "No host has reported its disks yet." }}
      >
        {(disk) => (
          <>
            {disk.usage_pct == null ? <p className="reason">{disk.error ?? "The disk could not be read."}</p> : <Gauge of={disk} usage={disk.usage_pct} />}
            {disk.disks.length > 1 && (
              <ul className="volumes">
                {disk.disks.slice(1).map(({ path, status, usage_pct, free_bytes }, index) => (
                  <li key={path ?? index} className="line">
                    <span className="name">{path}</span>
                    <Badge tone={STATUS[status][1]}>
                      {usage_pct == null || free_bytes == null ? STATUS[status][0] : `${bytes(free_bytes)} free`}
                    </Badge>
                  </li>
                ))}
              </ul>
            )}
          </>
        )}
      </State>
    </Section>
  );
}

function Gauge({ of: { status, used_bytes, free_bytes, total_bytes, warning_threshold, critical_threshold }, usage }: { of: Disk; usage: number }) {
  const [word, tone] = STATUS[status];
  const figures = [["Used", used_bytes], ["Free", free_bytes], ["Total", total_bytes]] as const;
  return (
    <div className={`gauge ${tone}`}>
      <svg
        viewBox="0 0 120 106"
        role="meter"
        aria-label="Disk usage"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(usage * 100)}
        aria-valuetext={`${Math.floor(usage * 100)}%, ${word}`}
      >
        <path className="track" d={arc(0, 1)} />
        {usage > 0 && <path className="value" d={arc(0, Math.min(1, usage))} />}
        {[warning_threshold, critical_threshold].map((limit) => (
          <path key={limit} className="limit" d={`M${point(limit, RADIUS - 7)}L${point(limit, RADIUS + 7)}`} />
        ))}
        <text x={CENTRE} y="64">
          {Math.floor(usage * 100)}
          <tspan>%</tspan>
        </text>
      </svg>
      <Badge tone={tone}>{word}</Badge>
      <dl>
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value == null ? "–" : bytes(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

export default { id: "disk-health", title: "Disk health", order: 3, w: 1, h: 2, topics: ["disk-health"], component: DiskHealth } satisfies Widget;
