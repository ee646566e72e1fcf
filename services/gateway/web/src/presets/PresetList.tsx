import { memo, useDeferredValue, useMemo, useState } from "react";
import { useCommand, type Command } from "../api/commands";
import { useLiveContext, useTopic } from "../api/useLive";
import type { Preset } from "../api/types";
import { Chips, Choice, Filters, SearchField } from "../parts/filters";
import { Growing } from "../parts/Growing";
import { Button, Empty, Section, Waiting } from "../ui";
import { cardOf, PresetCard, Warnings } from "./PresetCard";

const byText = new Intl.Collator().compare;

const FILTERS = { all: "All", installed: "Installed", available: "Available", progress: "In progress", failed: "Failed" } as const;
type Filter = keyof typeof FILTERS;

function filterOf(preset: Preset): Filter {
  const card = cardOf(preset);
  return card === "installed" || card === "available" || card === "failed" ? card : "progress";
}

export interface Query {
  text: string;
  category: string;
  status: Filter;
}

/** Ids of the presets that fit, by name; all words must be found somewhere. */
export function search(presets: Record<string, Preset>, { text, category, status }: Query): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (preset: Preset) => {
    if (category && preset.category !== category) return false;
    if (status !== "all" && filterOf(preset) !== status) return false;
    if (words.length === 0) return true;
    const hay = [preset.name, preset.id, preset.description, preset.category, ...(preset.tags ?? [])].join("\n").toLowerCase();
    return words.every((word) => hay.includes(word));
  };
  return Object.values(presets)
    .filter(fits)
    .sort((a, b) => byText(a.name, b.name) || byText(a.id, b.id))
    .map((preset) => preset.id);
}

/** The catalog: search, filters, and a card for each preset. */
export default function PresetList() {
  const held = useTopic("presets");
  const { connection } = useLiveContext();
  const { run } = useCommand();
  const [text, setText] = useState("");
  const [category, setCategory] = useState("");
  const [status, setStatus] = useState<Filter>("all");
  const wanted = useDeferredValue(text);
  const presets = held?.data.presets;
  const all = useMemo(() => Object.values(presets ?? {}), [presets]);
  const ids = useStable(useMemo(() => search(presets ?? {}, { text: wanted, category, status }), [presets, wanted, category, status]));
  const counts = useMemo(() => {
    const result: Record<Filter, number> = { all: all.length, installed: 0, available: 0, progress: 0, failed: 0 };
    for (const preset of all) result[filterOf(preset)] += 1;
    return result;
  }, [all]);
  const categories = useStable(useMemo(() => [...new Set(all.flatMap((preset) => preset.category || []))].sort(), [all]));
  const clear = () => {
    setText("");
    setCategory("");
    setStatus("all");
  };
  return (
    <Section id="presets" title="Presets" count={held && all.length} at={held?.at}>
      {!held && <Waiting what="presets" lines={6} onRetry={connection.retry} />}
      {held?.data.warnings && <Warnings of={{ warnings: held.data.warnings, name: "the catalog" }} />}
      {held && all.length === 0 && (
        <Empty icon="presets">The catalog has no presets yet. “Refresh catalog” reads it again.</Empty>
      )}
      {all.length > 0 && (
        <>
          <Filters label="Presets">
            <SearchField id="preset-search" label="Search presets" value={text} onChange={setText} />
            <Choice label="Category" value={category} onChange={setCategory} options={[["", "All categories"], ...categories.map((name) => [name, name] as const)]} />
            <Chips
              label="Status"
              value={status}
              onChange={setStatus}
              options={(Object.keys(FILTERS) as Filter[]).map((key) => ({ key, label: FILTERS[key], count: counts[key] }))}
            />
            <p className="sr" role="status">{`${ids.length} presets shown`}</p>
          </Filters>
          {ids.length === 0 ? (
            <Empty icon="search">
              No preset fits these filters. <Button onClick={clear}>Clear filters</Button>
            </Empty>
          ) : (
            <Cards key={`${wanted}\n${category}\n${status}`} ids={ids} run={run} />
          )}
        </>
      )}
    </Section>
  );
}

/** The same array while its members are the same, so that progress does not render the whole list again. */
function useStable(list: string[]): string[] {
  const key = JSON.stringify(list);
  return useMemo(() => JSON.parse(key) as string[], [key]);
}

const Cards = memo(function Cards({ ids, run }: { ids: readonly string[]; run: (command: Command) => void }) {
  return (
    <Growing items={ids} className="cards">
      {(id) => <PresetCard key={id} id={id} run={run} />}
    </Growing>
  );
});
