import { useEffect, useState, useSyncExternalStore } from "react";
import { createPortal } from "react-dom";
import { Icon, type IconName } from "./icons";
import { keepOnTop } from "./topLayer";
import { Button } from "./ui";

export type ToastType = "success" | "error" | "warning" | "info";

export interface Toast {
  id: number;
  type: ToastType;
  title: string;
  message: string;
  /** What can be done about it, such as taking it back. */
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 5_000;
const EXIT_MS = 300;
const MAX_SHOWN = 5;

let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Say something about what the person did or waits for; plain text, gone after 5 s unless looked at. */
export function notify(toast: Omit<Toast, "id">): void {
  lastId += 1;
  change([...toasts, { ...toast, id: lastId }].slice(-MAX_SHOWN));
}

export function dismiss(id: number): void {
  change(toasts.filter((toast) => toast.id !== id));
}

const ICONS: Record<ToastType, IconName> = { success: "check", error: "cross", warning: "warning", info: "info" };

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  const [layer] = useState(makeLayer);
  useEffect(() => keepOnTop(layer), [layer]);
  return createPortal(
    <ol aria-live="polite" aria-relevant="additions">
      {shown.map((toast) => (
        <Item key={toast.id} toast={toast} />
      ))}
    </ol>,
    layer,
  );
}

function makeLayer(): HTMLElement {
  const layer = document.createElement("section");
  layer.className = "toasts";
  layer.popover = "manual";
  layer.ariaLabel = "Notifications";
  return layer;
}

function Item({ toast }: { toast: Toast }) {
  const [held, setHeld] = useState(false);
  const [leaving, setLeaving] = useState(false);
  useEffect(() => {
    if (held || leaving) return;
    const timer = setTimeout(() => setLeaving(true), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [held, leaving]);
  useEffect(() => {
    if (!leaving) return;
    const timer = setTimeout(() => dismiss(toast.id), EXIT_MS);
    return () => clearTimeout(timer);
  }, [leaving, toast.id]);
  const type = toast.type in ICONS ? toast.type : "info";
  return (
    <li
      className={`toast ${type}${leaving ? " leaving" : ""}`}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <Icon name={ICONS[type]} />
      <div>
        <strong>{toast.title}</strong>
        <p>{toast.message}</p>
        {toast.action && (
          <Button
            onClick={() => {
              toast.action?.run();
              setLeaving(true);
            }}
          >
            {toast.action.label}
          </Button>
        )}
      </div>
      <button type="button" className="icon" aria-label={`Dismiss: ${toast.title}`} onClick={() => setLeaving(true)}>
        <Icon name="close" />
      </button>
    </li>
  );
}
