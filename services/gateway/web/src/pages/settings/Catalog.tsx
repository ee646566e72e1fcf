import { useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { refreshPresets, useCommand } from "../../api/commands";
import { useLive, useNow, useTopic } from "../../api/useLive";
import { ago, count } from "../../format";
import { sourceOf, State } from "../../state";
import { Button, Section } from "../../ui";
import { useHealth, type Service } from "./About";

/** Where the presets come from: when they were read last, and reading them now. */
export function Catalog() {
  const presets = useTopic("presets")?.data;
  const queries = useQueryClient();
  const now = useNow(30_000);
  const { run, pending } = useCommand("catalog");
  const heard = useLive((state) => state.entries.find(({ type }) => type === "catalog")?.id);
  const last = useQuery({
    queryKey: ["catalog", "refreshed", heard],
    queryFn: async () => {
      const { activities } = await answer(api.GET("/api/v1/activity", { params: { query: { category: "catalog", limit: 1 } } }));
      return activities[0] ?? null;
    },
    retry: 1,
  });
  const refresh = () => {
    const command = refreshPresets();
    run({
      ...command,
      done: (outcome) => {
        void queries.invalidateQueries({ queryKey: ["catalog"] });
        return command.done?.(outcome);
      },
    });
  };
  return (
    <Section id="catalog" title="Preset catalog" at={last.dataUpdatedAt || undefined}>
      <div className="setting">
        <p>
          {presets ? `${count(presets.total ?? Object.keys(presets.presets).length)} presets${presets.version ? `, version ${presets.version}` : ""}` : "Presets"}
          <small>Running downloads are not touched by a refresh.</small>
        </p>
        <Button icon="refresh" busy={pending} disabled={pending} onClick={refresh}>
          Refresh now
        </Button>
      </div>
      <Schedule />
      <State of={sourceOf(last)} what="the last refresh" lines={1}>
        {(entry) => (
          <p className="muted small">
            {entry ? (
              <>
                Last change found{" "}
                <time dateTime={entry.timestamp} title={new Date(entry.timestamp).toLocaleString()}>
                  {ago(entry.timestamp, now)}
                </time>
                : {entry.subtitle}
              </>
            ) : (
              "Nothing is told about a refresh yet."
            )}
          </p>
        )}
      </State>
    </Section>
  );
}

/** How often that happens by itself: decided where the product is started, so it is only told here. */
function Schedule() {
  const health = useHealth();
  const every = (health.data?.services["catalog"] as Service | undefined)?.detail?.presets_refresh_s;
  if (every === undefined) return null;
  return (
    <div className="setting">
      <p>
        {every === 0 ? "Never read again by itself" : `Read again by itself every ${inWords(every)}`}
        <small>
          Set where Modeldeck is started, by <code>MODELDECK_PRESETS_REFRESH_S</code>; it cannot be changed on this page.
        </small>
      </p>
    </div>
  );
}

/** 6 hours, 90 minutes, 45 seconds */
export function inWords(seconds: number): string {
  const [size, unit] = seconds % 3600 === 0 ? [3600, "hour"] : seconds % 60 === 0 ? [60, "minute"] : [1, "second"];
  const many = seconds / size;
  return many === 1 ? unit : `${count(many)} ${unit}s`;
}
