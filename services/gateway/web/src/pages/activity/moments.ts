import { answer, api } from "../../api/client";
import type { components } from "../../api/schema";
import type { Tone } from "../../ui";
import { toneOf } from "../../widgets/activity";

type Stated = components["schemas"];

/** A place in the log: what stands at it, and when that was. */
export interface Place {
  seq: number;
  time: string;
  type: string;
}

/** The first fact after a position that this user may see. */
async function next(after: number): Promise<Place | undefined> {
  const { events } = await answer(api.GET("/api/v1/events", { params: { query: { after, limit: 1 } } }));
  const [event] = events;
  return event && { seq: event.seq, time: event.time, type: event.type };
}

export interface Span {
  first: Place | undefined;
  /** The last position of the log. */
  head: number;
}

export async function span(): Promise<Span> {
  const [first, health] = await Promise.all([next(0), answer(api.GET("/api/v1/system/health"))]);
  return { first, head: health.seq };
}

/** What stands at a position, or first after it. */
export function placeAt(seq: number): Promise<Place | undefined> {
  return next(seq - 1);
}

/** The last position at a time, found by halves: some twenty short questions even for a log of a million facts. */
export async function positionOf(time: number, { first, head }: Span, ask = placeAt): Promise<number> {
  let [low, high] = [Math.max(0, (first?.seq ?? 1) - 1), head];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const place = await ask(middle);
    if (place && Date.parse(place.time) <= time) low = Math.max(middle, Math.min(place.seq, high));
    else high = middle - 1;
  }
  return low;
}

type Boards = Stated["States"];
export type Past = { [K in "queue" | "stats" | "templates" | "presets"]: NonNullable<Boards[K]> };

/** The boards as they were; one question, because the log is folded for it. */
export async function statesAt(at: number): Promise<Past> {
  const states = await answer(api.GET("/api/v1/state", { params: { query: { topics: "queue,stats,templates,presets", at: `${at}` } } }));
  return states as Past;
}

/** What was told in the feed at a position of the log. */
export interface Mark {
  seq: number;
  tone: Tone;
  says: string;
}

const MARKS = 200;

/** The newest events of the feed as marks on the line of time, the oldest first. */
export async function marks(): Promise<Mark[]> {
  const { activities } = await answer(api.GET("/api/v1/activity", { params: { query: { limit: MARKS } } }));
  return activities
    .flatMap((entry) => (entry.seq == null ? [] : [{ seq: entry.seq, tone: toneOf(entry), says: [entry.title, entry.status].filter(Boolean).join(" · ") }]))
    .sort((a, b) => a.seq - b.seq);
}

/** The event before a position; without one a step back. */
export function earlier(of: readonly Mark[], at: number, first: number): number {
  return of.findLast(({ seq }) => seq < at)?.seq ?? Math.max(first, at - 1);
}

/** The event after a position; undefined when there is none but now. */
export function later(of: readonly Mark[], at: number): number | undefined {
  return of.find(({ seq }) => seq > at)?.seq;
}

/** modeldeck.download.file-completed.v1 -> download file completed */
export function typeInWords(type: string): string {
  const [, subject = "", verb = ""] = type.split(".");
  return `${subject} ${verb}`.replaceAll("-", " ");
}

interface Point {
  at: string;
  cpu_percent?: number;
  memory_percent?: number;
  disk_percent?: number;
}

export interface Reading {
  host: string;
  cpu?: number | undefined;
  memory?: number | undefined;
  disk?: number | undefined;
}

const NEAR_MS = 30_000;

/** What each host read nearest to a time; undefined when the time is older than what is kept. */
export function readingsAt(hosts: Record<string, readonly unknown[]>, time: number): Reading[] | undefined {
  const found = Object.entries(hosts).flatMap(([host, points]) => {
    let best: Point | undefined;
    for (const point of points as readonly Point[]) {
      if (!best || Math.abs(Date.parse(point.at) - time) < Math.abs(Date.parse(best.at) - time)) best = point;
    }
    if (!best || Math.abs(Date.parse(best.at) - time) > NEAR_MS) return [];
    return [{ host, cpu: best.cpu_percent, memory: best.memory_percent, disk: best.disk_percent }];
  });
  return found.length > 0 ? found : undefined;
}
