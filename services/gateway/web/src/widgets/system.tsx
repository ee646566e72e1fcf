import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client";
import type { DiskUse, HostResources } from "../api/types";
import { useLiveContext, useTopic } from "../api/useLive";
import type { Widget } from "../board/registry";
import { bytes, clock } from "../format";
import { LEVEL_WORDS, level, type THRESHOLDS } from "../thresholds";
import { Badge, Button, Empty, Section, Waiting } from "../ui";

function System() {
  const held = useTopic("resources");
  const { store, connection } = useLiveContext();
  const refresh = useQuery({
    queryKey: ["resources"],
    queryFn: async () => {
      const data = await answer(api.GET("/api/v1/system/resources"));
      store.apply({ kind: "snapshot", topic: "resources", data, at: Date.now() });
      return data;
    },
    enabled: false,
    retry: false,
  });
  const actions = (
    <Button
      icon="refresh"
      kind="quiet"
      label="Refresh system resources"
      busy={refresh.isFetching}
      onClick={() => void refresh.refetch()}
    />
  );
  const hosts = Object.entries(held?.data.hosts ?? {});
  return (
    <Section id="system" title="System resources" at={held?.at} actions={actions}>
      {refresh.error && <p className="reason">{refresh.error.message}</p>}
      {!held && <Waiting what="system resources" lines={2} onRetry={connection.retry} />}
      {held && hosts.length < 2 && <Meters of={held.data} />}
      {hosts.length > 1 &&
        hosts.map(([name, host]) => (
          <div key={name}>
            <h3>{name}</h3>
            <Meters of={host} />
          </div>
        ))}
    </Section>
  );
}

function Meters({ of: { at, stale, cpu_percent, cpu_count, memory, disk, disks, gpu } }: { of: HostResources }) {
  const devices = gpu?.devices ?? [];
  const volumes = disks?.length ? disks : disk ? [disk] : [];
  if (cpu_percent == null && !memory && volumes.length === 0 && devices.length === 0) {
    return <Empty icon="screen">No host has reported yet.</Empty>;
  }
  return (
    <>
      {stale && <p className="note warn">This host is silent{at && `: the figures are of ${clock(Date.parse(at))}`}.</p>}
      <ul className="meters">
        {devices.map((device, index) => (
          <Gpu key={index} device={device} many={devices.length > 1 ? ` ${index + 1}` : ""} />
        ))}
        <Meter kind="cpu" title="CPU" percent={cpu_percent} detail={cpu_count && (cpu_count > 1 ? `${cpu_count} cores` : "1 core")} />
        <Meter kind="memory" title="Memory" percent={memory?.percent} detail={memory && used(memory.used, memory.total)} />
        {volumes.map((volume, index) => (
          <Disk key={volume.path ?? index} of={volume} named={volumes.length > 1} />
        ))}
      </ul>
    </>
  );
}

function Disk({ of: { path, free, total, percent, error }, named }: { of: DiskUse; named: boolean }) {
  return (
    <Meter
      kind="disk"
      title={named && path ? `Disk ${path}` : "Models disk"}
      percent={percent}
      error={error}
      detail={free != null && total != null && `${bytes(free)} free of ${bytes(total)}`}
    />
  );
}

function Gpu({ device, many }: { device: NonNullable<NonNullable<HostResources["gpu"]>["devices"]>[number]; many: string }) {
  const { name, memory_used_bytes: part, memory_total_bytes: whole, utilization, error } = device;
  if (error) return <Meter kind="gpuLoad" title={`GPU${many}`} percent={undefined} error={error} detail={name} />;
  const known = part != null && whole != null && whole > 0;
  return (
    <>
      <Meter
        kind="gpuMemory"
        title={`GPU${many} memory`}
        percent={known ? (100 * part) / whole : undefined}
        detail={known && used(part, whole)}
      />
      <Meter kind="gpuLoad" title={`GPU${many} load`} percent={utilization} detail={name} />
    </>
  );
}

function used(part: number, whole: number): string {
  return `${bytes(part)} of ${bytes(whole)}`;
}

interface MeterProps {
  kind: keyof typeof THRESHOLDS;
  title: string;
  percent: number | null | undefined;
  detail?: string | false | 0 | null | undefined;
  error?: string | null | undefined;
}

/** A reading that is missing or failed says so: it is never a zero. */
function Meter({ kind, title, percent, detail, error }: MeterProps) {
  const failed = error != null && error !== "";
  const known = percent != null && !failed;
  const tone = known ? level(kind, percent) : "idle";
  return (
    <li className={`meter ${failed ? "bad" : tone}`}>
      <div className="line">
        <span className="title">{title}</span>
        {tone === "warn" || tone === "bad" ? <Badge tone={tone}>{LEVEL_WORDS[tone]}</Badge> : null}
        {failed && <Badge tone="bad">probe failed</Badge>}
      </div>
      <strong className="figure">{known ? <>{Math.floor(percent)}<small>%</small></> : "–"}</strong>
      {known && (
        <div
          role="meter"
          aria-label={title}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor(percent)}
          aria-valuetext={`${Math.floor(percent)}%, ${LEVEL_WORDS[level(kind, percent)]}`}
          className={`bar ${tone}`}
        >
          <i style={{ transform: `scaleX(${Math.min(100, percent) / 100})` }} />
        </div>
      )}
      {failed ? <p className="reason">{error}</p> : <p className="muted">{detail || (known ? "\u00a0" : "No reading yet")}</p>}
    </li>
  );
}

export default { id: "system", title: "System resources", order: 30, w: 4, component: System } satisfies Widget;
