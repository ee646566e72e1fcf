import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../api/client";
import type { DiskUse, GpuDevice, HostResources } from "../api/types";
import { useLiveContext, useTopic } from "../api/useLive";
import type { Widget } from "../board/registry";
import { bytes, clock } from "../format";
import { useHistory, type Moment } from "../history";
import { LEAST_MS, minutes, spanOf, Sparkline, type Sample } from "../Sparkline";
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
  const hosts = Object.entries(held?.data.hosts ?? {});
  const history = useHistory(held?.data);
  const span = Math.max(0, ...Object.values(history).map((moments) => spanOf(moments, moments.at(-1)?.at ?? 0)));
  const actions = (
    <>
      {span >= LEAST_MS && <small className="muted">{`last ${minutes(span)}`}</small>}
      <Button
        icon="refresh"
        kind="quiet"
        label="Refresh system resources"
        busy={refresh.isFetching}
        onClick={() => void refresh.refetch()}
      />
    </>
  );
  return (
    <Section id="system" title="System resources" at={held?.at} actions={actions}>
      {refresh.error && <p className="reason">{refresh.error.message}</p>}
      {!held && <Waiting what="system resources" lines={2} onRetry={connection.retry} />}
      {held && hosts.length < 2 && <Meters of={held.data} history={history[hosts[0]?.[0] ?? ""]} />}
      {hosts.length > 1 &&
        hosts.map(([name, host]) => (
          <div key={name}>
            <h3>{name}</h3>
            <Meters of={host} history={history[name]} />
          </div>
        ))}
    </Section>
  );
}

type Past = (value: (moment: Moment) => number | undefined) => { at: number; value: number | undefined }[];

function Meters({ of, history = [] }: { of: HostResources; history?: readonly Moment[] | undefined }) {
  const { at, stale, cpu_percent, cpu_count, memory, disk, disks, gpu } = of;
  const past: Past = (value) => history.map((moment) => ({ at: moment.at, value: value(moment) }));
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
          <Gpu key={index} device={device} many={devices.length > 1 ? ` ${index + 1}` : ""} index={index} past={past} />
        ))}
        <Meter kind="cpu" title="CPU" percent={cpu_percent} past={past(({ cpu }) => cpu)} detail={cpu_count && (cpu_count > 1 ? `${cpu_count} cores` : "1 core")} />
        <Meter kind="memory" title="Memory" percent={memory?.percent} past={past((moment) => moment.memory)} detail={memory && used(memory.used, memory.total)} />
        {volumes.map((volume, index) => (
          <Disk key={volume.path ?? index} of={volume} named={volumes.length > 1} past={index === 0 ? past((moment) => moment.disk) : undefined} />
        ))}
      </ul>
    </>
  );
}

function Disk({ of: { path, free, total, percent, error }, named, past }: { of: DiskUse; named: boolean; past: MeterProps["past"] }) {
  return (
    <Meter
      kind="disk"
      title={named && path ? `Disk ${path}` : "Models disk"}
      percent={percent}
      error={error}
      past={past}
      detail={free != null && total != null && `${bytes(free)} free of ${bytes(total)}`}
    />
  );
}

function Gpu({ device, many, index, past }: { device: GpuDevice; many: string; index: number; past: Past }) {
  const { name, memory_used_bytes: part, memory_total_bytes: whole, utilization, error } = device;
  if (error) return <Meter kind="gpuLoad" title={`GPU${many}`} percent={undefined} error={error} detail={name} />;
  const known = part != null && whole != null && whole > 0;
  return (
    <>
      <Meter
        kind="gpuMemory"
        title={`GPU${many} memory`}
        percent={known ? (100 * part) / whole : undefined}
        past={past(({ gpu }) => {
          const used_mb = gpu[index]?.used_mb;
          return whole && used_mb !== undefined ? (100 * used_mb * 1024 * 1024) / whole : undefined;
        })}
        detail={known && used(part, whole)}
      />
      <Meter kind="gpuLoad" title={`GPU${many} load`} percent={utilization} past={past(({ gpu }) => gpu[index]?.load)} detail={name} />
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
  past?: readonly Sample[] | undefined;
}

/** A reading that is missing or failed says so: it is never a zero. */
function Meter({ kind, title, percent, detail, error, past }: MeterProps) {
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
      {past && <Sparkline samples={past} label={title} />}
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

export default {
  id: "system-resources", title: "System resources", order: 30, w: 2, h: 2, topics: ["resources"], component: System,
} satisfies Widget;
