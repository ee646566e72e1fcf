import type { Tone } from "../../ui";
import { files, isIncomplete, isUnchecked, missingFiles, type Scan } from "./templates";

/** How a workflow stands, in a word and its colour; `coming` of the files that it misses are on their way. */
export function standing(scan: Scan, coming = 0): readonly [Tone, string] {
  if (scan.format === "unreadable") return ["bad", "Unreadable"];
  const missing = missingFiles(scan).length;
  if (missing > 0) return coming >= missing ? ["info", `Installing ${missing}`] : ["warn", `${missing} missing`];
  return isIncomplete(scan) ? ["warn", "Incomplete"] : ["ok", "Ready"];
}

/** The same in a sentence. */
export function verdict(scan: Scan, coming = 0): string {
  const missing = missingFiles(scan).length;
  const rest = isIncomplete(scan) ? " It could not be read whole, so more may be needed: the warnings say why." : "";
  if (scan.format === "unreadable") return "This file could not be read as a workflow.";
  if (missing > 0 && coming >= missing) return `${missing === 1 ? "The file" : `All ${missing} files`} that it misses ${missing === 1 ? "is" : "are"} on the way.${rest}`;
  if (missing > 0) return `${files(missing)} that it needs ${missing === 1 ? "is" : "are"} not where ComfyUI looks.${rest}`;
  if (rest) return `Nothing is known to be missing.${rest}`;
  if (isUnchecked(scan)) return "All that could be checked is where ComfyUI looks. The warnings name the files that could not.";
  return scan.references.length === 0 ? "It needs no local model." : "Everything it needs is where ComfyUI looks.";
}
