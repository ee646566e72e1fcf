import { memo, useDeferredValue, useMemo, useState } from "react";
import type { components } from "../../api/schema";
import { fileName } from "../../format";
import { Icon } from "../../icons";
import { Chips, Choice, Filters, SearchField } from "../../parts/filters";
import { Badge, Button, Empty } from "../../ui";
import { standing } from "./standing";
import { counted, files, grouped, missingFiles, needed, type Filter, type Group, type Sort, type Template } from "./templates";

const FILTERS: Record<Filter, string> = { all: "All", ready: "Ready", missing: "Missing files", incomplete: "Incomplete" };
const SORTS = [
  ["name", "By name"],
  ["nearly", "Nearly ready first"],
  ["most", "Most missing first"],
  ["newest", "Newest first"],
] as const satisfies readonly (readonly [Sort, string])[];

interface TemplateListProps {
  topic: components["schemas"]["TemplatesTopic"];
  onOpen: (id: string) => void;
}

/** All templates by their root, with a filter above. */
export function TemplateList({ topic, onOpen }: TemplateListProps) {
  const [text, setText] = useState("");
  const [filter, setFilter] = useState<Filter>("all");
  const [sort, setSort] = useState<Sort>("name");
  const wanted = useDeferredValue(useMemo(() => ({ text, filter, sort }), [text, filter, sort]));
  const all = useMemo(() => Object.values(topic.templates), [topic.templates]);
  const groups = useMemo(() => grouped(all, wanted), [all, wanted]);
  const counts = useMemo(() => counted(all), [all]);
  const clear = () => {
    setText("");
    setFilter("all");
  };
  return (
    <>
      <Filters label="Templates">
        <SearchField id="template-search" label="Search templates and files" value={text} onChange={setText} />
        <Choice label="Order" value={sort} onChange={(value) => setSort(value as Sort)} options={SORTS} />
        <Chips
          label="Show"
          value={filter}
          onChange={setFilter}
          options={(Object.keys(FILTERS) as Filter[])
            .filter((key) => key !== "incomplete" || counts.incomplete > 0)
            .map((key) => ({ key, label: FILTERS[key], count: counts[key] }))}
        />
      </Filters>
      <p className="sr" role="status">
        {files(groups.reduce((sum, group) => sum + group.templates.length, 0)).replace("file", "template")} shown
      </p>
      {groups.length === 0 && (
        <Empty icon="search">
          No template fits. <Button onClick={clear}>Show all</Button>
        </Empty>
      )}
      {groups.map((group) => (
        <Root key={group.root} group={group} onOpen={onOpen} />
      ))}
      <Skipped of={topic.skipped} />
    </>
  );
}

const Root = memo(function Root({ group: { root, templates }, onOpen }: { group: Group; onOpen: (id: string) => void }) {
  const ready = templates.filter(({ compatible }) => compatible).length;
  return (
    <section className="root">
      <h3>
        {root}
        <span>
          {templates.length} · {ready} ready
        </span>
      </h3>
      <ul>
        {templates.map((template) => (
          <Row key={template.id} template={template} onOpen={onOpen} />
        ))}
      </ul>
    </section>
  );
});

const Row = memo(function Row({ template, onOpen }: { template: Template; onOpen: (id: string) => void }) {
  const [tone, word] = standing(template);
  const folder = template.path.slice(0, template.path.lastIndexOf("/") + 1);
  return (
    <li>
      <button type="button" className="template" data-template={template.id} onClick={() => onOpen(template.id)}>
        <span className="name">
          {folder && <span className="folder">{folder}</span>}
          {template.name}
        </span>
        <Badge tone={tone}>{word}</Badge>
        <span className="muted">{summary(template)}</span>
      </button>
    </li>
  );
});

/** What it needs, or what it misses of that, in a line. */
function summary(template: Template): string {
  if (template.format === "unreadable") return template.warnings[0]?.message ?? "It could not be read.";
  const all = needed(template.references).filter(({ active }) => active).length;
  const missing = missingFiles(template);
  if (missing.length === 0) return all === 0 ? "Needs no local model" : `Needs ${files(all)}`;
  const names = missing.slice(0, 2).map(fileName).join(", ");
  return `Needs ${files(all)}, misses ${names}${missing.length > 2 ? ` and ${missing.length - 2} more` : ""}`;
}

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
