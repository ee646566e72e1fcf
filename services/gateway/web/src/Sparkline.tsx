export interface Sample {
  at: number;
  /** Percent; undefined where it was not read. */
  value: number | undefined;
}

/** The curve fills its width once there is an hour of it; at first it spans three minutes. */
const SPANS_MS = [180_000, 3_600_000] as const;
const GAP_MS = 60_000;
const POINTS = 120;
const [WIDTH, HEIGHT] = [120, 32];

/** Lines and areas of an hour's samples on a 120 x 32 grid; a pause of more than a minute is a gap. */
export function curves(samples: readonly Sample[], now: number): { line: string; area: string } {
  const span = Math.min(SPANS_MS[1], Math.max(SPANS_MS[0], now - (samples[0]?.at ?? now)));
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

/** The last hour as a small curve; its range is said in words. */
export function Sparkline({ samples, label }: { samples: readonly Sample[]; label: string }) {
  const values = samples.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const last = samples.at(-1);
  if (!last || values.length < 2) return <div className="spark" />;
  const { line, area } = curves(samples, last.at);
  const range = `${Math.floor(Math.min(...values))}% to ${Math.floor(Math.max(...values))}%`;
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${label} in the last hour: ${range}`}>
      <path className="area" d={area} />
      <path className="curve" d={line} />
    </svg>
  );
}
