export interface Sample {
  at: number;
  /** Percent; undefined where it was not read. */
  value: number | undefined;
}

const HOUR_MS = 3_600_000;
/** So much is shown at least: of less, the noise of two readings would look like a trend. */
export const LEAST_MS = 60_000;
const GAP_MS = 60_000;
const POINTS = 120;
const [WIDTH, HEIGHT] = [120, 32];

/** What the samples cover up to `now`, at most an hour. */
export function spanOf(samples: readonly { at: number }[], now: number): number {
  return Math.min(HOUR_MS, now - (samples[0]?.at ?? now));
}

/** Lines and areas of the samples over the whole width of a 120 x 32 grid; a pause of more than a minute is a gap. */
export function curves(samples: readonly Sample[], now: number): { line: string; area: string } {
  const span = Math.max(1, spanOf(samples, now));
  const step = Math.max(1, Math.ceil(samples.length / POINTS));
  let [line, area] = ["", ""];
  let run: [x: number, y: number][] = [];
  const close = () => {
    const [first, last] = [run[0], run.at(-1)];
    if (first && last) {
      const points = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      line += `M${points}`;
      area += `M${first[0].toFixed(1)} ${HEIGHT}L${points}L${last[0].toFixed(1)} ${HEIGHT}Z`;
    }
    run = [];
  };
  let before = 0;
  samples.forEach(({ at, value }, index) => {
    if (value === undefined || at - before > Math.max(GAP_MS, step * 15_000)) close();
    before = at;
    if (value === undefined || (index % step !== 0 && index !== samples.length - 1)) return;
    const x = Math.max(0, WIDTH * (1 - (now - at) / span));
    run.push([x, HEIGHT - 1 - (Math.min(100, Math.max(0, value)) / 100) * (HEIGHT - 2)]);
  });
  close();
  return { line, area };
}

/** What is known of the last hour as a small curve; its range and length are said in words. */
export function Sparkline({ samples, label }: { samples: readonly Sample[]; label: string }) {
  const values = samples.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const last = samples.at(-1);
  if (!last || values.length < 2 || spanOf(samples, last.at) < LEAST_MS) return <div className="spark" />;
  const { line, area } = curves(samples, last.at);
  const range = `${Math.floor(Math.min(...values))}% to ${Math.floor(Math.max(...values))}%`;
  const said = `${label} in the last ${minutes(spanOf(samples, last.at))}: ${range}`;
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={said}>
      <title>{said}</title>
      <path className="area" d={area} />
      <path className="curve" d={line} />
    </svg>
  );
}

/** hour, 4 minutes, minute */
export function minutes(ms: number): string {
  const count = Math.round(ms / 60_000);
  if (count >= 60) return "hour";
  return count < 2 ? "minute" : `${count} minutes`;
}
