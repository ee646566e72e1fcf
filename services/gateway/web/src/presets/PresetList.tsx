import { memo, useMemo } from "react";
import { useCommand, type Command } from "../api/commands";
import type { Preset } from "../api/types";
import { reachable } from "../pages/paths";
import { State, useTopicSource } from "../state";
import { Section } from "../ui";
import { cardOf, PresetCard, Warnings } from "./PresetCard";

const SHOWN = 6;

function rank(preset: Preset): number {
  const card = cardOf(preset);
  if (card === "failed" || card === "paused" || preset.update_available) return 0;
  if (card === "available") return 1;
  return card === "installed" ? 3 : 2;
}

/** Ids of a few presets: what wants somebody, then what can be installed, the smallest first, then the rest. */
export function handful(presets: Readonly<Record<string, Preset>>): string[] {
  return Object.values(presets)
    .sort((a, b) => rank(a) - rank(b) || (a.size_bytes ?? Infinity) - (b.size_bytes ?? Infinity) || a.name.localeCompare(b.name))
    .slice(0, SHOWN)
    .map(({ id }) => id);
}

/** A handful of the catalog; the page of the models has all of it. */
export default function PresetList() {
  const source = useTopicSource("presets");
  const { run } = useCommand();
  const presets = source.data?.presets;
  // Chosen once for a catalog: a card that is used stays where it is.
  const catalog = presets && Object.keys(presets).sort().join("\n");
  const ids = useMemo(() => handful(presets ?? {}), [catalog]);
  const total = Object.keys(presets ?? {}).length;
  const all = reachable("/models");
  return (
    <Section
      id="presets"
      title="Presets"
      at={source.at}
      actions={
        all && (
          <a className="button quiet" href={all}>
            {total > 0 ? `View all ${total}` : "View all"}
            <span className="sr"> presets</span>
          </a>
        )
      }
    >
      <State
        of={source}
        what="presets"
        lines={6}
        empty={{ when: () => total === 0, icon: "presets", say: "The catalog has no presets yet. “Refresh catalog” reads it again." }}
      >
        {(topic) => (
          <>
            {topic.warnings && <Warnings of={{ warnings: topic.warnings, name: "the catalog" }} />}
            <Cards ids={ids} run={run} />
          </>
        )}
      </State>
    </Section>
  );
}

const Cards = memo(function Cards({ ids, run }: { ids: readonly string[]; run: (command: Command) => void }) {
  return (
    <ul className="cards">
      {ids.map((id) => (
        <PresetCard key={id} id={id} run={run} />
      ))}
    </ul>
  );
});
