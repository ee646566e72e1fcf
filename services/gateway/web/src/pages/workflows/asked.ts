import { answer, api, ApiError } from "../../api/client";
import type { components } from "../../api/schema";

type Stated = components["schemas"];
export type WorkflowPlan = Stated["WorkflowPlan"];
export type Installation = Stated["Installation"];
export type PlanFile = Stated["MissingFile"];
export type Source = Stated["MissingSource"];

/**
 * Files that have just come are hashed in the background, and a lock file needs their hashes: then the catalog answers
 * 503 and has to be asked again.
 */
export const patiently = {
  retry: (failures: number, error: Error) => failures < 40 && isBusy(error),
  retryDelay: (failures: number) => Math.min(8_000, 1_000 * 2 ** failures),
};

function isBusy(error: Error | null): boolean {
  return error instanceof ApiError && error.status === 503;
}

/** What a person decided, by path: a file that is there and is to be linked, or a URL. */
export type Choices = Readonly<Record<string, string>>;

/** Something that misses files, and how it gets them. */
export interface Installable {
  key: readonly string[];
  /** Whether a person can decide what the plan leaves open; a lock file names exact bytes, so nothing is open. */
  takesChoices: boolean;
  plan: () => Promise<WorkflowPlan>;
  install: (choices: Choices) => Promise<Installation>;
}

/** The API's document has no members for a body that is somebody else's format. */
type Foreign = Record<string, never>;

export function ofTemplate(template_id: string): Installable {
  const params = { path: { template_id } };
  return {
    key: ["plan", "template", template_id],
    takesChoices: true,
    plan: () => answer(api.GET("/api/v1/workflows/templates/{template_id}/plan", { params })),
    install: (choices) => answer(api.POST("/api/v1/workflows/templates/{template_id}/install-missing", { params, body: { choices } })),
  };
}

export function ofWorkflow(id: string, workflow: object): Installable {
  const body = workflow as Foreign;
  return {
    key: ["plan", "workflow", id],
    takesChoices: true,
    plan: () => answer(api.POST("/api/v1/workflows/plan", { body })),
    install: async (choices) => {
      await choose(choices);
      return answer(api.POST("/api/v1/workflows/install-missing", { body }));
    },
  };
}

export function ofLock(id: string, lock: object): Installable {
  const body = lock as Foreign;
  return {
    key: ["plan", "lock", id],
    takesChoices: false,
    plan: () => answer(api.POST("/api/v1/workflows/lock/plan", { body })),
    install: () => answer(api.POST("/api/v1/workflows/lock/install", { body })),
  };
}

/** The routes for unstored workflows take no choices: they are carried out one by one before. */
async function choose(choices: Choices): Promise<void> {
  for (const [path, choice] of Object.entries(choices)) {
    if (isUrl(choice)) await answer(api.POST("/api/v1/downloads", { body: { url: choice, path } }));
    else await answer(api.POST("/api/v1/models/{path}/link", { params: { path: { path } }, body: { from_path: choice } }));
  }
}

export function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

export function scan(workflow: object): Promise<Stated["Scan"]> {
  return answer(api.POST("/api/v1/workflows/scan", { body: workflow as Foreign }));
}

/** The template's lock file as text, and what it is called. */
export async function lockOf({ id, name }: { id: string; name: string }): Promise<{ name: string; text: string }> {
  const lock = await answer(api.GET("/api/v1/workflows/templates/{template_id}/lock", { params: { path: { template_id: id } } }));
  return { name: `${name}.lock.json`, text: `${JSON.stringify(lock, null, 2)}\n` };
}
