const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** Decimal units as the catalogs and the server use them: 1.2 GB. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** 3m 24s */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [d, h, m, s] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (d) return `${d}d ${h}h`;
  if (h) return `${h}h ${m}m`;
  return m ? `${m}m ${s}s` : `${s}s`;
}

/** 2,450 */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** 2,450, 12.3K, 1.2M: short beyond five digits. */
export function compact(value: number): string {
  return Math.abs(value) < 10_000 ? count(value) : value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

/** Never rounds up to 100: that is said when it is so. */
export function percent(value: number): string {
  return `${Math.min(100, Math.max(0, Math.floor(value)))}%`;
}

/** just now, 5 min ago, 3 h ago, yesterday, 12 Mar */
export function ago(timestamp: string, now: number): string {
  const then = Date.parse(timestamp);
  const seconds = Math.round((now - then) / 1000);
  if (Number.isNaN(then)) return "";
  if (seconds < 45) return "just now";
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 82_800) return `${Math.max(1, Math.round(seconds / 3600))} h ago`;
  if (seconds < 7 * 86_400) return `${Math.max(1, Math.round(seconds / 86_400))} d ago`;
  return new Date(then).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

export function clock(at: number): string {
  return new Date(at).toLocaleTimeString();
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** text_encoders -> text encoder */
export function kindLabel(kind: string): string {
  return kind.replaceAll("_", " ").replace(/(?<=[^s])s$/, "");
}
