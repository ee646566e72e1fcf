import { answer, api } from "../../api/client";
import type { components } from "../../api/schema";

type Stated = components["schemas"];
export type WorkflowPlan = Stated["WorkflowPlan"];
export type Installation = Stated["Installation"];
export type PlanFile = Stated["MissingFile"];
export type Source = Stated["MissingSource"];

/** What a person decided, by path: a file that is there and is to be linked, or a URL. */
export type Choices = Readonly<Record<string, string>>;

/** Told which files have to be hashed first, while an answer is waited for. */
export interface Wait {
  onWait: (paths: readonly string[]) => void;
  signal?: AbortSignal;
}

/** Something that misses files, and how it gets them. */
export interface Installable {
  key: readonly string[];
  plan: (wait: Wait) => Promise<WorkflowPlan>;
  install: (choices: Choices, wait: Wait) => Promise<Installation>;
}

export interface TextFile {
  name: string;
  text: string;
}

/** The API's document has no members for a body that is somebody else's format. */
type Foreign = Record<string, never>;
type Hashing = Stated["Hashing"];

const HASHING_MS = 1_000;
/** "Being hashed" shall be an answer, and not an error in the browser's console. */
const header = { prefer: "respond-async" };

/** Ask until no file has to be hashed first: a file that has just come is, in the background. */
async function hashed<T extends object>(ask: () => Promise<T | Hashing>, { onWait, signal }: Wait): Promise<T> {
  for (;;) {
    const got = await ask();
    if (!("status" in got && got.status === "hashing")) {
      onWait([]);
      return got as T;
    }
    onWait((got as Hashing).paths);
    await new Promise((wake) => setTimeout(wake, HASHING_MS));
    signal?.throwIfAborted();
  }
}

export function ofTemplate(template_id: string): Installable {
  const params = { path: { template_id } };
  return {
    key: ["plan", "template", template_id],
    plan: () => answer(api.GET("/api/v1/workflows/templates/{template_id}/plan", { params })),
    install: (choices) => answer(api.POST("/api/v1/workflows/templates/{template_id}/install-missing", { params, body: { choices } })),
  };
}

export function ofWorkflow(id: string, workflow: object): Installable {
  return {
    key: ["plan", "workflow", id],
    plan: () => answer(api.POST("/api/v1/workflows/plan", { body: workflow as Foreign })),
    install: (choices) => answer(api.POST("/api/v1/workflows/install-missing", { body: { workflow, choices } as unknown as Foreign })),
  };
}

export function ofLock(id: string, lock: object): Installable {
  const body = lock as Foreign;
  const params = { header };
  return {
    key: ["plan", "lock", id],
    plan: (wait) => hashed<WorkflowPlan>(() => answer(api.POST("/api/v1/workflows/lock/plan", { body, params })), wait),
    // A lock names exact bytes: there is nothing to choose.
    install: (_, wait) => hashed<Installation>(() => answer(api.POST("/api/v1/workflows/lock/install", { body, params })), wait),
  };
}

export function scan(workflow: object): Promise<Stated["Scan"]> {
  return answer(api.POST("/api/v1/workflows/scan", { body: workflow as Foreign }));
}

/** The lock file of a template. */
export async function lockOfTemplate({ id, name }: { id: string; name: string }, wait: Wait): Promise<TextFile> {
  const params = { path: { template_id: id }, header };
  return lockFile(name, await hashed<object>(() => answer(api.GET("/api/v1/workflows/templates/{template_id}/lock", { params })), wait));
}

/** The lock file of a workflow that is not stored; `name` is its file's. */
export async function lockOfWorkflow({ name, content }: { name: string; content: object }, wait: Wait): Promise<TextFile> {
  const params = { query: { name: name.slice(0, 200) }, header };
  const lock = await hashed<object>(() => answer(api.POST("/api/v1/workflows/lock", { params, body: content as Foreign })), wait);
  return lockFile(name.replace(/\.[^.]+$/, ""), lock);
}

function lockFile(of: string, lock: object): TextFile {
  return { name: `${of}.lock.json`, text: `${JSON.stringify(lock, null, 2)}\n` };
}
