import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";
import type { Connection } from "../src/api/live";
import { LiveStore } from "../src/api/live";
import type { Preset, QueueTopic, ResourcesTopic, TopicName } from "../src/api/types";
import { LiveContext } from "../src/api/useLive";
import { Toasts } from "../src/toasts";

/** A page around what is tested, with a store that the test feeds and a gateway that answers from a table. */
export function page(children: ReactNode, store = new LiveStore()) {
  const connection: Connection = { retry: vi.fn<() => void>(), close: vi.fn<() => void>() };
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false }, mutations: { networkMode: "always" } } });
  const view = render(
    <QueryClientProvider client={queries}>
      <LiveContext value={{ store, connection }}>
        {children}
        <Toasts />
      </LiveContext>
    </QueryClientProvider>,
  );
  return { ...view, store, connection };
}

export function live(store: LiveStore, topics: Partial<Record<TopicName, unknown>>): void {
  for (const [topic, data] of Object.entries(topics)) {
    store.apply({ kind: "snapshot", topic: topic as TopicName, data, at: Date.now() });
  }
  store.apply({ kind: "status", status: { phase: "live", since: Date.now() } });
}

export interface Request {
  method: string;
  url: string;
  body: unknown;
}

/** Replace fetch; `answer` decides, the requests are recorded. */
export function gateway(answer: (request: Request) => Response | Promise<Response>): Request[] {
  const requests: Request[] = [];
  vi.stubGlobal("fetch", async (asked: globalThis.Request) => {
    const { pathname, search } = new URL(asked.url);
    const text = await asked.text();
    const request = { method: asked.method, url: pathname + search, body: text ? JSON.parse(text) : undefined };
    requests.push(request);
    return answer(request);
  });
  return requests;
}

export function problem(status: number, detail: string): Response {
  return Response.json({ code: "refused", detail }, { status, headers: { "content-type": "application/problem+json" } });
}

export function preset(id: string, more: Partial<Preset> = {}): Preset {
  return { id, name: `Preset ${id}`, installed: false, status: "available", progress: 0, size_bytes: 2_000_000_000, ...more };
}

export function presets(...list: Preset[]) {
  return { presets: Object.fromEntries(list.map((item) => [item.id, item])), total: list.length };
}

export function queue(more: Partial<QueueTopic> = {}): QueueTopic {
  return { current: null, active: {}, queue: {}, completed: {}, active_downloads: 0, paused: false, max_concurrent: 1, ...more };
}

export function resources(more: Partial<ResourcesTopic> = {}): ResourcesTopic {
  return {
    cpu_percent: 12,
    memory: { total: 64e9, used: 32e9, percent: 50 },
    disk: { total: 1e12, used: 5e11, free: 5e11, percent: 50 },
    ...more,
  };
}
