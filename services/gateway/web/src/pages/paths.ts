import type { ComponentType } from "react";
import type { IconName } from "../icons";
import { pathOf } from "../router";

export interface Page {
  path: string;
  title: string;
  icon: IconName;
  /** `g` and this key lead there. */
  key: string;
  /** Fetch the page's code; absent for the home page, which comes with the shell. */
  load?: () => Promise<{ default: ComponentType }>;
}

/** The pages of the product, in the navigation's order. One whose file does not exist is not offered. */
const PLANNED = [
  { path: "/models", file: "./Models.tsx", title: "Models", icon: "models", key: "m" },
  { path: "/workflows", file: "./Workflows.tsx", title: "Workflows", icon: "workflows", key: "w" },
  { path: "/activity", file: "./Activity.tsx", title: "Activity", icon: "activity", key: "a" },
  { path: "/settings", file: "./Settings.tsx", title: "Settings", icon: "settings", key: "s" },
] as const;

const files = import.meta.glob<{ default: ComponentType }>(["./Models.tsx", "./Workflows.tsx", "./Activity.tsx", "./Settings.tsx"]);

export const pages: readonly Page[] = [
  { path: "/", title: "Dashboard", icon: "home", key: "d" },
  ...PLANNED.flatMap(({ file, ...page }) => {
    const load = files[file];
    return load ? [{ ...page, load }] : [];
  }),
];

export function pageAt(path: string): Page | undefined {
  return pages.find((page) => page.path === path);
}

/**
 * The link as it may be shown: one to a page that exists. What other services send as a link is not followed blindly,
 * and a page that this build does not have is no link.
 */
export function reachable(link: string | null | undefined): string | undefined {
  if (!link?.startsWith("/") || link.startsWith("//")) return undefined;
  return pageAt(pathOf(new URL(link, "http://page").pathname)) && link;
}
