import { isObject, KEYS, read, useStored, write } from "./stored";

/** What is remembered of the welcome and the tour. */
export interface TourState {
  hasSeenTour: boolean;
  /** Where it goes on after an interruption, from 0; -1 while it does not run. */
  currentStep: number;
  /** The welcome was put away. */
  isDismissed: boolean;
}

const BEFORE: TourState = { hasSeenTour: false, currentStep: -1, isDismissed: false };

function isTour(value: unknown): value is TourState {
  return isObject(value) && typeof value["hasSeenTour"] === "boolean" && typeof value["currentStep"] === "number" && typeof value["isDismissed"] === "boolean";
}

export function useTour(): [TourState, (next: TourState) => void] {
  return useStored(KEYS.tour, isTour, BEFORE);
}

/** Have the welcome and the tour again, from the beginning. */
export function resetTour(): void {
  write(KEYS.tour, BEFORE);
}

export function tourIsNew(): boolean {
  const state = read(KEYS.tour, isTour);
  return !state?.hasSeenTour && !state?.isDismissed;
}

export interface Stop {
  /** What is shown. */
  target: string;
  title: string;
  text: string;
  /** Where it is, when it is not on the page. */
  gone?: string;
}

export const STOPS: readonly Stop[] = [
  { target: ".section.featured", title: "Featured models", text: "Good models to begin with. “Try now” checks that there is room and starts the download. Dismissed, they come back when there are new ones.", gone: "You have put them away: they come back when there are new ones, and Settings has a switch for them." },
  { target: "#download-model", title: "Download a model", text: "Write org/repo or paste a link. You see the variants, which one suits this machine and why, and what space it takes, before anything is fetched." },
  { target: ".section.storage", title: "Storage", text: "How full the disks are, what fills them, and what could go: duplicates and files that nothing needs." },
  { target: ".models-filters", title: "Search and filters", text: "Find what you look for by words, family, size and status. Your choice is kept in this browser." },
];
