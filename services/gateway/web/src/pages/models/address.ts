import { navigate, useQueryString } from "../../router";

export const TABS = ["presets", "repositories", "files"] as const;
export type Tab = (typeof TABS)[number];

/** What lies open over the page; it stands in the address, so that it can be linked to and "back" closes it. */
export type Opened =
  | { kind: "preset"; id: string }
  | { kind: "file"; path: string }
  | { kind: "repository"; repo: string }
  | { kind: "queue" }
  | { kind: "download"; text: string };

export interface Place {
  tab: Tab;
  opened: Opened | undefined;
}

/** Read the page's address: `?preset=`, `?file=`, `?repo=`, `?filter=queue`, `?download=`, and `?tab=`. */
export function placeOf(query: URLSearchParams): Place {
  const opened = openedOf(query);
  const wanted = query.get("tab");
  const implied = opened?.kind === "file" ? "files" : opened?.kind === "repository" ? "repositories" : "presets";
  return { tab: TABS.find((tab) => tab === wanted) ?? implied, opened };
}

function openedOf(query: URLSearchParams): Opened | undefined {
  const [preset, file, repo, download] = ["preset", "file", "repo", "download"].map((name) => query.get(name));
  if (preset) return { kind: "preset", id: preset };
  if (file) return { kind: "file", path: file };
  if (repo) return { kind: "repository", repo };
  if (query.get("filter") === "queue" || query.get("status") === "queue") return { kind: "queue" };
  return download == null ? undefined : { kind: "download", text: download };
}

export function addressOf({ tab, opened }: Place): string {
  const query = new URLSearchParams();
  switch (opened?.kind) {
    case "preset":
      query.set("preset", opened.id);
      break;
    case "file":
      query.set("file", opened.path);
      break;
    case "repository":
      query.set("repo", opened.repo);
      break;
    case "queue":
      query.set("filter", "queue");
      break;
    case "download":
      query.set("download", opened.text);
  }
  if (placeOf(query).tab !== tab) query.set("tab", tab);
  const text = query.toString();
  return text ? `/models?${text}` : "/models";
}

export interface Going extends Place {
  show: (tab: Tab) => void;
  open: (opened: Opened) => void;
  close: () => void;
}

export function usePlace(): Going {
  const place = placeOf(useQueryString());
  return {
    ...place,
    show: (tab) => navigate(addressOf({ tab, opened: undefined }), { replace: true }),
    // From one drawer to the next is one step: back leads to the page.
    open: (opened) => navigate(addressOf({ tab: place.tab, opened }), { replace: place.opened !== undefined }),
    close: () => navigate(addressOf({ tab: place.tab, opened: undefined }), { replace: true }),
  };
}
