/**
 * One stream for all tabs of a browser: HTTP/1.1 allows six connections per host, and each tab would hold one.
 * A tab gets the present state of the topics it wants at once, then every message about them.
 */
import { Feed } from "./feed";
import type { TopicName } from "./types";

/** What a tab says; `want` replaces what it wanted before. */
export type TabMessage = "retry" | "leave" | "there?" | { want: readonly TopicName[] };

const scope = self as unknown as { onconnect: ((event: MessageEvent) => void) | null };
const ports = new Map<MessagePort, ReadonlySet<TopicName>>();
let feed: Feed | undefined;

function running(): Feed {
  feed ??= new Feed({
    emit: (message) => {
      for (const [port, wanted] of ports) if (!("topic" in message) || wanted.has(message.topic)) port.postMessage(message);
    },
  });
  return feed;
}

function want(port: MessagePort, topics: readonly TopicName[]): void {
  const first = feed === undefined || feed.status.phase === "signed-out";
  const before = ports.get(port);
  ports.set(port, new Set(topics));
  const shared = running();
  for (const topic of topics) {
    const held = before?.has(topic) ? undefined : shared.topics.get(topic);
    if (held) port.postMessage({ kind: "snapshot", topic, ...held });
  }
  shared.want(new Set([...ports.values()].flatMap((wanted) => [...wanted])));
  // Whoever joins may have just signed in.
  if (first) shared.retry();
  if (!before) port.postMessage({ kind: "status", status: shared.status });
}

function leave(port: MessagePort): void {
  ports.delete(port);
  if (ports.size > 0) return;
  feed?.stop();
  feed = undefined;
}

scope.onconnect = ({ ports: [port] }) => {
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    if (data === "retry") feed?.retry();
    else if (data === "there?") port.postMessage({ kind: "alive", silence_ms: 0 });
    else if (data === "leave") leave(port);
    else want(port, data.want);
  };
};

self.addEventListener("online", () => feed?.retry());
self.addEventListener("offline", () => void feed?.doubt());
