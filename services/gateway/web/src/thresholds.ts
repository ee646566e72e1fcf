/** One table; a value that reaches a limit belongs to the higher class. Percent. */
export const THRESHOLDS = {
  cpu: { warn: 70, bad: 90 },
  memory: { warn: 70, bad: 90 },
  gpuMemory: { warn: 70, bad: 90 },
  gpuLoad: { warn: 60, bad: 85 },
  disk: { warn: 80, bad: 95 },
} as const;

export type Level = "ok" | "warn" | "bad";

export const LEVEL_WORDS: Record<Level, string> = { ok: "normal", warn: "high", bad: "critical" };

export function level(kind: keyof typeof THRESHOLDS, percent: number): Level {
  const { warn, bad } = THRESHOLDS[kind];
  if (percent >= bad) return "bad";
  return percent >= warn ? "warn" : "ok";
}
