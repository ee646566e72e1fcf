import { lazy, memo, Suspense, useDeferredValue, useMemo, useState } from "react";
import { useCommand, type Command } from "../../api/commands";
import type { Preset } from "../../api/types";
import { reachable } from "../paths";
import { Growing } from "../../parts/Growing";
import { CARDS, cardOf, isLoud, PresetCard, Warnings, type Card } from "../../presets/PresetCard";
import { State, useTopicSource } from "../../state";
import { Button, Empty, Section } from "../../ui";
import { byText, fitting, NOTHING, SIZE_NAMES, sizeClass, sorted, type Listing } from "./facets";
import { FilterBar, useChosen } from "./FilterBar";

const Uninstall = lazy(() => import("./Uninstall"));

const RANK: Record<Card, number> = { downloading: 0, paused: 1, queued: 2, failed: 3, installed: 4, available: 5 };

const byName = (a: Preset, b: Preset) => byText(a.name, b.name) || byText(a.id, b.id);

const LISTING: Listing<Preset> = {
  facets: [
    { kind: "families", label: "Category", of: ({ category }) => (category ? [category] : []) },
    { kind: "sizes", label: "Size", of: ({ size_bytes }) => sizeClass(size_bytes), names: SIZE_NAMES },
    {
      kind: "statuses",
      label: "Status",
      of: (preset) => [cardOf(preset), ...(preset.update_available ? ["update"] : []), ...(preset.warnings?.some(isLoud) ? ["warned"] : [])],
      names: { ...Object.fromEntries(Object.entries(CARDS).map(([card, { label }]) => [card, label])), update: "Update available", warned: "With warnings" },
    },
  ],
  orders: [
    { key: "name", label: "name", compare: byName },
    { key: "status", label: "status", compare: (a, b) => RANK[cardOf(a)] - RANK[cardOf(b)] || byName(a, b) },
    { key: "size", label: "size", compare: (a, b) => (b.size_bytes ?? -1) - (a.size_bytes ?? -1) || byName(a, b) },
    { key: "recent", label: "last change", compare: (a, b) => (b.modified_at ?? "").localeCompare(a.modified_at ?? "") || byName(a, b) },
  ],
  words: ({ name, id, description, category, type, tags }) => [name, id, description, category, type, ...(tags ?? [])].join("\n"),
};

/** The catalog, a card for each preset. */
export function PresetsTab({ onDetails }: { onDetails: (id: string) => void }) {
  const source = useTopicSource("presets");
  const { run } = useCommand();
  const [chosen, setChosen] = useChosen("presets");
  const wanted = useDeferredValue(chosen);
  const all = useMemo(() => Object.values(source.data?.presets ?? {}), [source.data]);
  const found = useMemo(() => fitting(sorted(all, wanted, LISTING), wanted, LISTING), [all, wanted]);
  const ids = useStable(found.map(({ id }) => id));
  const more = useMemo(
    () => (preset: Preset, card: Card) => <More preset={preset} card={card} onDetails={onDetails} />,
    [onDetails],
  );
  return (
    <Section id="presets" title="Presets" count={source.data && all.length} at={source.at}>
      <State
        of={source}
        what="presets"
        lines={6}
        empty={{ when: () => all.length === 0, icon: "presets", say: "The catalog has no presets yet. “Refresh catalog” reads it again." }}
      >
        {(topic) => (
          <>
            {topic.warnings && <Warnings of={{ warnings: topic.warnings, name: "the catalog" }} />}
            <FilterBar what="presets" items={all} listing={LISTING} chosen={chosen} onChange={setChosen} shown={ids.length} />
            {ids.length === 0 ? (
              <Empty icon="search">
                No preset fits these filters. <Button onClick={() => setChosen(NOTHING)}>Clear filters</Button>
              </Empty>
            ) : (
              <Cards key={JSON.stringify(wanted)} ids={ids} run={run} more={more} />
            )}
          </>
        )}
      </State>
    </Section>
  );
}

/** The same array while its members are the same, so that progress does not render the whole list again. */
function useStable(list: string[]): string[] {
  const key = JSON.stringify(list);
  return useMemo(() => JSON.parse(key) as string[], [key]);
}

interface CardsProps {
  ids: readonly string[];
  run: (command: Command) => void;
  more: (preset: Preset, card: Card) => React.ReactNode;
}

const Cards = memo(function Cards({ ids, run, more }: CardsProps) {
  return (
    <Growing items={ids} className="cards">
      {(id) => <PresetCard key={id} id={id} run={run} more={more} />}
    </Growing>
  );
});

interface MoreProps {
  preset: Preset;
  card: Card;
  onDetails: (id: string) => void;
}

function More({ preset, card, onDetails }: MoreProps) {
  const { id, name, update_available } = preset;
  const [leaving, setLeaving] = useState(false);
  const generate = card === "installed" ? reachable(`/generate?model=${encodeURIComponent(id)}`) : undefined;
  const idle = card === "installed" || card === "available";
  return (
    <>
      <Button icon="info" kind="quiet" label={`Details of ${name}`} onClick={() => onDetails(id)}>
        {idle && !update_available ? "Details" : null}
      </Button>
      {card === "installed" && <Button icon="trash" kind="quiet" label={`Uninstall ${name}`} onClick={() => setLeaving(true)} />}
      {generate && (
        <a className="button primary" href={generate}>
          Generate<span className="sr"> with {name}</span>
        </a>
      )}
      {leaving && (
        <Suspense fallback={null}>
          <Uninstall preset={preset} onClose={() => setLeaving(false)} />
        </Suspense>
      )}
    </>
  );
}
