import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  /** A character as typed ("?"), or two after each other ("g m"). */
  keys: string;
  does: string;
  run: () => void;
}

const STORED = "modeldeck.shortcuts";
const SECOND_KEY_MS = 1_200;
const shortcuts = new Set<Shortcut>();
const listeners = new Set<() => void>();
let list: readonly Shortcut[] = [];
let on = localStorage.getItem(STORED) !== "off";
let first: { key: string; at: number } | undefined;

function changed(): void {
  list = [...shortcuts];
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Offer shortcuts while the caller is shown. */
export function useShortcuts(offered: readonly Shortcut[]): void {
  const latest = useRef(offered);
  latest.current = offered;
  const keys = offered.map((shortcut) => `${shortcut.keys}\t${shortcut.does}`).join("\n");
  useEffect(() => {
    const added = latest.current.map(({ keys, does }, index) => ({ keys, does, run: () => latest.current[index]?.run() }));
    for (const shortcut of added) shortcuts.add(shortcut);
    changed();
    return () => {
      for (const shortcut of added) shortcuts.delete(shortcut);
      changed();
    };
  }, [keys]);
}

export function useShortcutList(): readonly Shortcut[] {
  return useSyncExternalStore(subscribe, () => list);
}

/** Whether single keys are listened to; a person who speaks to the computer wants them off (WCAG 2.1.4). */
export function useShortcutSwitch(): [boolean, (next: boolean) => void] {
  const value = useSyncExternalStore(subscribe, () => on);
  return [
    value,
    (next) => {
      on = next;
      localStorage.setItem(STORED, next ? "on" : "off");
      changed();
    },
  ];
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=radio],[type=checkbox]), textarea, select"));
}

export function listenToKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (!on || event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const before = first && event.timeStamp - first.at < SECOND_KEY_MS ? `${first.key} ` : "";
    first = undefined;
    const wanted = before + event.key;
    const found = list.find(({ keys }) => keys === wanted) ?? list.find(({ keys }) => keys === event.key);
    if (found) {
      event.preventDefault();
      found.run();
    } else if (list.some(({ keys }) => keys.startsWith(`${event.key} `))) first = { key: event.key, at: event.timeStamp };
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
