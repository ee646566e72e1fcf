/**
 * One stream for all tabs of a browser: HTTP/1.1 allows six connections per host, and each tab would hold one.
 * A tab that joins gets the present state at once, then every message.
 */
import { Feed } from "./feed";

const scope = self as unknown as { onconnect: ((event: MessageEvent) => void) | null };
const ports = new Set<MessagePort>();

const feed = new Feed({
  emit: (message) => {
    for (const port of ports) port.postMessage(message);
  },
});

scope.onconnect = ({ ports: [port] }) => {
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<"retry" | "leave" | "there?">) => {
    if (data === "retry") feed.retry();
    else if (data === "there?") port.postMessage({ kind: "alive", silence_ms: 0 });
    else {
      ports.delete(port);
      if (ports.size === 0) feed.stop();
    }
  };
  // Whoever joins may have just signed in.
  if (ports.size === 0 || feed.status.phase === "signed-out") feed.retry();
  for (const [topic, { data, at }] of feed.topics) port.postMessage({ kind: "snapshot", topic, data, at });
  port.postMessage({ kind: "status", status: feed.status });
  ports.add(port);
};

self.addEventListener("online", () => feed.retry());
