import { useCallback, useState } from "react";
import { clearActivity, restoreActivity, useCommand } from "../api/commands";
import type { ActivityEntry } from "../api/types";
import { useLiveContext } from "../api/useLive";
import { Confirm } from "../parts/Confirm";
import { DownloadStory } from "../parts/DownloadStory";
import { navigate, useQueryString } from "../router";
import { PageHead } from "../shell/PageHead";
import { useShortcuts } from "../shell/shortcuts";
import { Button } from "../ui";
import { Log, type Filter } from "./activity/Log";
import { LookBack } from "./activity/LookBack";
import { PastBanner } from "./activity/PastBanner";
import "./activity/activity.css";

/** What of the page the address says, so that a link leads to the same. */
const NAMES = { category: "category", project: "project_id", text: "q", at: "at", download: "download" } as const;

/** The address without some of its members, or with others. */
function move(change: Partial<Record<keyof typeof NAMES, string | undefined>>, replace = true): void {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(change)) {
    const name = NAMES[key as keyof typeof NAMES];
    if (value) query.set(name, value);
    else query.delete(name);
  }
  navigate(`/activity${query.size > 0 ? `?${query}` : ""}`, { replace });
}

function positionIn(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Everything that happened: the log, each download's story, and the product as it was at any moment. */
export default function Activity() {
  const { store } = useLiveContext();
  const { run, pending } = useCommand("activity");
  const query = useQueryString();
  const [at, download] = [positionIn(query.get("at")), query.get("download")];
  const filter: Filter = { category: query.get("category") ?? "", project: query.get("project_id") ?? "", text: query.get("q") ?? "" };
  const [opened, setOpened] = useState(false);
  const [clearing, setClearing] = useState(false);
  const [story, setStory] = useState<string>();
  const looking = opened || at !== undefined;
  const onMove = useCallback((position: number | undefined) => {
    setOpened(true);
    move({ at: position?.toString() });
  }, []);
  const onFilter = useCallback((change: Partial<Filter>) => move(change), []);
  const lookBack = (entry: ActivityEntry) => {
    onMove(entry.seq ?? undefined);
    scrollTo(0, 0);
  };
  const close = () => {
    setOpened(false);
    move({ at: undefined });
    requestAnimationFrame(() => document.getElementById("look")?.focus());
  };
  const again = () => store.forgetEntries();
  const showAgain = () => run(restoreActivity(again));
  useShortcuts([{ keys: "b", does: "Look back in time", run: () => setOpened(true) }]);
  useShortcuts(at === undefined ? [] : [{ keys: "Escape", does: "Back to now", run: () => onMove(undefined) }]);
  return (
    <>
      <PageHead title="Activity" about="Everything that happened, and how things were at any moment.">
        {!looking && (
          <Button id="look" icon="reset" onClick={() => setOpened(true)}>
            Look back…
          </Button>
        )}
        <Button busy={pending} disabled={at !== undefined} onClick={() => setClearing(true)}>
          Clear all…
        </Button>
      </PageHead>
      <div className="activity-page" onKeyDown={(event) => event.key === "Escape" && at !== undefined && event.target instanceof HTMLInputElement && event.target.type === "range" && onMove(undefined)}>
        {at !== undefined && <PastBanner at={at} onBack={() => onMove(undefined)} />}
        {looking && <LookBack at={at} onMove={onMove} onClose={close} />}
        <Log
          at={at}
          filter={filter}
          onFilter={onFilter}
          onShowAgain={showAgain}
          onStory={(entry) => {
            setStory(entry.title);
            move({ download: entry.download_id ?? undefined }, false);
          }}
          onLookBack={lookBack}
        />
      </div>
      {download && <DownloadStory key={download} id={download} name={story} onClose={() => move({ download: undefined })} />}
      {clearing && (
        <Confirm title="Clear the activity?" action="Clear all" onConfirm={() => run(clearActivity(again, showAgain))} onClose={() => setClearing(false)}>
          <p className="muted">All entries up to now are hidden from your feed, here and on the dashboard. Nothing is deleted from the log, nobody else notices, and you can show them again.</p>
        </Confirm>
      )}
    </>
  );
}
