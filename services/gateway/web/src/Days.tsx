const [WIDTH, HEIGHT, GAP] = [70, 20, 2];

/** Counts of the last days, the last one of today, as small columns. One day alone is no trend: then there are none. */
export function Days({ counts, label }: { counts: readonly number[]; label: string }) {
  if (counts.filter((count) => count > 0).length < 2) return null;
  const most = Math.max(...counts);
  const step = WIDTH / counts.length;
  const said = `${label} on the last ${counts.length} days, today last: ${counts.map((count) => count.toLocaleString("en")).join(", ")}`;
  return (
    <svg className="days" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={said}>
      <title>{said}</title>
      {counts.map((count, index) => {
        const height = count > 0 ? Math.max(2, (count / most) * HEIGHT) : 1;
        const kind = [count > 0 ? "" : "none", index === counts.length - 1 ? "today" : ""].filter(Boolean).join(" ");
        return <rect key={index} className={kind || undefined} x={index * step} y={HEIGHT - height} width={step - GAP} height={height} rx={1} />;
      })}
    </svg>
  );
}
