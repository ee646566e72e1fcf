import { useMutation } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { ApiError } from "../api/client";
import { clearActivity, useCommand } from "../api/commands";
import type { ActivityEntry } from "../api/types";
import { useLiveContext } from "../api/useLive";
import { Confirm } from "../parts/Confirm";
import { DownloadStory } from "../parts/DownloadStory";
import { navigate, useQueryString } from "../router";
import { PageHead } from "../shell/PageHead";
import { useShortcuts } from "../shell/shortcuts";
import { notify } from "../toasts";
import { Button } from "../ui";
import { Log } from "./activity/Log";
import { LookBack } from "./activity/LookBack";
import { positionOf, span } from "./activity/moments";
import "./activity/activity.css";

/** The address without some of its members, or with others. */
function move(change: Record<string, string | undefined>, replace = true): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) query.delete(name);
    else query.set(name, value);
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
  const [looking, setLooking] = useState(at !== undefined);
  const [clearing, setClearing] = useState(false);
  const [story, setStory] = useState<string>();
  const onMove = useCallback((position: number | undefined) => move({ at: position?.toString() }), []);
  const find = useMutation({
    mutationFn: async (entry: ActivityEntry) => positionOf(Date.parse(entry.timestamp), await span()),
    onSuccess: (position) => {
      setLooking(true);
      onMove(position);
      scrollTo(0, 0);
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
      notify({ type: "error", title: "Could not look back", message: error.message });
    },
    networkMode: "always",
  });
  const close = () => {
    setLooking(false);
    onMove(undefined);
    requestAnimationFrame(() => document.getElementById("look")?.focus());
  };
  useShortcuts([{ keys: "b", does: "Look back in time", run: () => setLooking(true) }]);
  return (
    <>
      <PageHead title="Activity" about="Everything that happened, and how things were at any moment.">
        {!looking && (
          <Button id="look" icon="reset" onClick={() => setLooking(true)}>
            Look back…
          </Button>
        )}
        <Button busy={pending} disabled={at !== undefined} onClick={() => setClearing(true)}>
          Clear all…
        </Button>
      </PageHead>
      <div className="activity-page">
        {(looking || at !== undefined) && <LookBack at={at} onMove={onMove} onClose={close} />}
        <Log
          at={at}
          category={query.get("category") ?? ""}
          project={query.get("project_id") ?? ""}
          onFilter={(change) => move(Object.fromEntries(Object.entries(change).map(([name, value]) => [name, value || undefined])))}
          onStory={(entry) => {
            setStory(entry.title);
            move({ download: entry.download_id ?? undefined }, false);
          }}
          onLookBack={(entry) => find.mutate(entry)}
        />
      </div>
      {download && <DownloadStory key={download} id={download} name={story} onClose={() => move({ download: undefined })} />}
      {clearing && (
        <Confirm title="Clear the activity?" action="Clear all" onConfirm={() => run(clearActivity(() => store.forgetEntries()))} onClose={() => setClearing(false)}>
          <p className="muted">All entries up to now are hidden from your feed, here and on the dashboard. Nothing is deleted from the log itself, and nobody else notices.</p>
        </Confirm>
      )}
    </>
  );
}
