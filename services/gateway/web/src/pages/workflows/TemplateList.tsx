import { memo, useDeferredValue, useMemo, useRef, useState } from "react";
import { useNow, useTopic } from "../../api/useLive";
import type { components } from "../../api/schema";
import { Icon } from "../../icons";
import { Chips, Choice, Filters, SearchField } from "../../parts/filters";
import { Button, Empty } from "../../ui";
import { go, usePlace } from "./address";
import { inFlight } from "./inFlight";
import { TemplateRow } from "./TemplateRow";
import { counted, files, grouped, missingFiles, type Filter, type Group, type Sort, type Template } from "./templates";

const FILTERS: Record<Filter, string> = { all: "All", ready: "Ready", missing: "Missing files", warnings: "Warnings" };
const SORTS = [
  ["name", "By name"],
  ["nearly", "Nearly ready first"],
  ["most", "Most missing first"],
  ["newest", "Newest first"],
] as const satisfies readonly (readonly [Sort, string])[];

interface TemplateListProps {
  topic: components["schemas"]["TemplatesTopic"];
  onOpen: (id: string, toInstall: boolean) => void;
}

/** All templates by their folder, with a filter above. */
export function TemplateList({ topic, onOpen }: TemplateListProps) {
  const [text, setText] = useState("");
  const { filter, sort } = usePlace();
  const wanted = useDeferredValue(useMemo(() => ({ text, filter, sort }), [text, filter, sort]));
  const all = useMemo(() => Object.values(topic.templates), [topic.templates]);
  const groups = useMemo(() => grouped(all, wanted), [all, wanted]);
  const counts = useMemo(() => counted(all), [all]);
  const coming = useComing(all);
  const minute = useNow(60_000);
  const shown = groups.reduce((sum, group) => sum + group.templates.length, 0);
  const clear = () => {
    setText("");
    go({ filter: "all" });
  };
  return (
    <>
      <Filters label="Templates">
        <SearchField id="template-search" label="Search templates and files" value={text} onChange={setText} />
        <Choice label="Order" value={sort} onChange={(value) => go({ sort: value as Sort })} options={SORTS} />
        <Chips
          label="Show"
          value={filter}
          onChange={(value) => go({ filter: value })}
          options={(Object.keys(FILTERS) as Filter[])
            .filter((key) => key !== "warnings" || counts.warnings > 0 || filter === key)
            .map((key) => ({ key, label: FILTERS[key], count: counts[key] }))}
        />
      </Filters>
      <p className="sr" role="status">
        {files(shown).replace("file", "template")} shown
      </p>
      {groups.length === 0 && all.length > 0 && (
        <Empty icon="search">
          No template fits. <Button onClick={clear}>Show all</Button>
        </Empty>
      )}
      {groups.map((group) => (
        <Folder key={group.folder} group={group} coming={coming} now={wanted.sort === "newest" ? minute : undefined} onOpen={onOpen} />
      ))}
      <Skipped of={topic.skipped} />
    </>
  );
}

/** The templates of which all that is missing is on its way; the same set as long as that does not change. */
function useComing(all: readonly Template[]): ReadonlySet<string> {
  const queue = useTopic("queue")?.data;
  const before = useRef<ReadonlySet<string>>(new Set());
  return useMemo(() => {
    const flying = inFlight(queue);
    const nothing = Object.keys(queue?.active ?? {}).length + Object.keys(queue?.queue ?? {}).length === 0;
    const coming = nothing ? [] : all.filter((template) => template.missing_count > 0 && missingFiles(template).every(flying)).map(({ id }) => id);
    if (coming.length !== before.current.size || !coming.every((id) => before.current.has(id))) before.current = new Set(coming);
    return before.current;
  }, [all, queue]);
}

interface FolderProps {
  group: Group;
  coming: ReadonlySet<string>;
  now: number | undefined;
  onOpen: TemplateListProps["onOpen"];
}

const Folder = memo(function Folder({ group: { folder, templates }, coming, now, onOpen }: FolderProps) {
  const ready = templates.filter(({ compatible }) => compatible).length;
  return (
    <details className="folder" open>
      <summary>
        <Icon name="chevronRight" />
        <h3>{folder}</h3>
        <span>
          {ready} of {templates.length} ready
        </span>
      </summary>
      <ul>
        {templates.map((template) => (
          <TemplateRow key={template.id} template={template} coming={coming.has(template.id)} now={now} onOpen={onOpen} />
        ))}
      </ul>
    </details>
  );
});

function Skipped({ of }: { of: TemplateListProps["topic"]["skipped"] }) {
  const list = Object.values(of);
  if (list.length === 0) return null;
  return (
    <details className="skipped">
      <summary>
        <Icon name="info" />
        <span>{files(list.length)} in the template folders {list.length === 1 ? "is no workflow" : "are no workflows"}</span>
      </summary>
      <ul>
        {list.map(({ id, message }) => (
          <li key={id}>
            <code>{id}</code> {message}
          </li>
        ))}
      </ul>
    </details>
  );
}
