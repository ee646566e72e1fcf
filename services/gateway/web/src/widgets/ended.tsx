import { useState } from "react";
import { CONFLICT, replace, retry, useCommand } from "../api/commands";
import { useNow, useTopic } from "../api/useLive";
import type { EndedItem } from "../api/types";
import type { Widget } from "../board/registry";
import { ReplaceDialog } from "../dialogs";
import { ago, bytes } from "../format";
import { Badge, Button, Section, type Tone } from "../ui";

const SHOWN = 3;

const LABELS: Record<EndedItem["status"], [string, Tone]> = {
  completed: ["Completed", "ok"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "idle"],
};

function Ended() {
  const held = useTopic("queue");
  const now = useNow(30_000);
  const { run } = useCommand();
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<EndedItem>();
  const items = Object.values(held?.data.completed ?? {}).sort((a, b) =>
    (b.finished_at ?? "").localeCompare(a.finished_at ?? ""),
  );
  if (!held || items.length === 0) return null;
  return (
    <Section
      id="ended"
      title="Recently ended"
      count={items.length}
      at={held.at}
      actions={
        items.length > SHOWN && (
          <Button kind="quiet" onClick={() => setAll(!all)}>
            {all ? "Show fewer" : `Show all ${items.length}`}
          </Button>
        )
      }
    >
      <ul className="ended-list">
        {items.slice(0, all ? undefined : SHOWN).map((item) => {
          const [label, tone] = LABELS[item.status];
          return (
            <li key={item.download_id}>
              <Badge tone={tone}>{label}</Badge>
              <div className="what">
                <span className="name">{item.name}</span>
                <p className="muted">
                  {[item.total_bytes != null && bytes(item.total_bytes), item.finished_at && ago(item.finished_at, now)]
                    .filter(Boolean)
                    .join(" · ")}
                </p>
              </div>
              {item.status !== "completed" && (
                <div className="buttons">
                  <a className="button quiet" href={`/activity?download=${encodeURIComponent(item.download_id)}`}>
                    Story<span className="sr"> of {item.name}</span>
                  </a>
                  <Button icon="refresh" label={`Retry ${item.name}`} onClick={() => run(retry(item))}>
                    Retry
                  </Button>
                  {item.status === "failed" && item.error_code === CONFLICT && (
                    <Button label={`Replace what is there for ${item.name}`} onClick={() => setAsked(item)}>
                      Replace…
                    </Button>
                  )}
                </div>
              )}
              {item.status === "failed" && item.error && <p className="reason">{item.error}</p>}
            </li>
          );
        })}
      </ul>
      <ReplaceDialog download={asked} onClose={() => setAsked(undefined)} onReplace={(download) => run(replace(download))} />
    </Section>
  );
}

export default {
  id: "recently-ended", title: "Recently ended", order: 80, w: 4, h: 1, topics: ["queue"], appears: "Shown once a download has ended.",
  component: Ended,
} satisfies Widget;
