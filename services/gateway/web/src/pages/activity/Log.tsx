import { useCallback, useEffect, useMemo, useState } from "react";
import { useNow, useTopic } from "../../api/useLive";
import { Choice, Filters, SearchField } from "../../parts/filters";
import { State } from "../../state";
import { Badge, Button, Section } from "../../ui";
import { CATEGORIES, More, useFeed } from "../../widgets/activity";
import { byDay, containing } from "./days";
import { Row, type RowActions } from "./Row";
import { useHeld } from "./useHeld";

const TYPED_MS = 300;

/** What of the log is shown, as the address has it. */
export interface Filter {
  category: string;
  project: string;
  text: string;
}

interface LogProps extends RowActions {
  at: number | undefined;
  filter: Filter;
  onFilter: (change: Partial<Filter>) => void;
  onShowAgain: () => void;
}

/** The log, newest first: filtered, read further back on demand, with what happens now on top. */
export function Log({ at, filter, onFilter, onShowAgain, ...actions }: LogProps) {
  const now = useNow(30_000);
  const { category, project, text } = filter;
  const { before, rows } = useFeed({ ...filter, at: at === undefined ? undefined : `${at}` });
  const onText = useCallback((value: string) => onFilter({ text: value }), [onFilter]);
  const held = useHeld(rows, at === undefined);
  const shown = useMemo(() => containing(held.rows, text), [held.rows, text]);
  const known = before.data || shown.length > 0 ? shown : undefined;
  const filtered = category !== "" || project !== "" || text !== "";
  const hidden = before.data?.pages[0]?.hidden;
  return (
    <Section
      id="log"
      title={at === undefined ? "Log" : "The log then"}
      at={before.dataUpdatedAt || undefined}
      {...(at !== undefined && { count: <Badge tone="warn">Past</Badge> })}
      actions={
        filtered && (
          <Button kind="quiet" icon="close" onClick={() => onFilter({ category: "", project: "", text: "" })}>
            No filters
          </Button>
        )
      }
    >
      <Filters label="Log">
        <Search text={text} onChange={onText} />
        <Choice label="Kind" value={category} onChange={(value) => onFilter({ category: value })} options={CATEGORIES} />
        <Projects value={project} onChange={(value) => onFilter({ project: value })} />
      </Filters>
      <div ref={held.top} />
      {held.count > 0 && (
        <div className="held">
          <Button kind="primary" icon="top" onClick={held.show}>
            {held.count === 1 ? "1 new entry" : `${held.count} new entries`}
          </Button>
        </div>
      )}
      <State
        of={{ data: known, at: undefined, error: before.error?.message, retry: () => void before.refetch() }}
        what="the log"
        lines={8}
        empty={{ when: (list) => list.length === 0 && !before.hasNextPage, icon: "activity", say: nothing(filtered, at !== undefined, hidden !== undefined) }}
      >
        {(list) =>
          byDay(list, now).map(({ day, entries }) => (
            <section key={day} className="day">
              <h3>{day}</h3>
              <ol className="feed">
                {entries.map((entry) => (
                  <Row key={entry.id} entry={entry} now={now} ofProject={project !== ""} {...actions} />
                ))}
              </ol>
            </section>
          ))
        }
      </State>
      {before.hasNextPage && <More busy={before.isFetchingNextPage} onMore={() => void before.fetchNextPage()} />}
      {before.data && !before.hasNextPage && (shown.length > 0 || hidden) && (
        <div className="more">
          {hidden ? (
            <>
              <p>You cleared what happened before {new Date(hidden.at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}. It is hidden for you only.</p>
              {at === undefined && <Button onClick={onShowAgain}>Show it again</Button>}
            </>
          ) : filtered ? (
            "That is all."
          ) : (
            "This is the beginning of the log."
          )}
        </div>
      )}
    </Section>
  );
}

function nothing(filtered: boolean, past: boolean, cleared: boolean): string {
  if (filtered) return past ? "Nothing had happened by then that fits these filters." : "Nothing that has happened fits these filters.";
  if (past) return "Nothing had happened yet.";
  return cleared ? "Nothing has happened since you cleared the log." : "Nothing has happened yet: install a preset, and its story begins here.";
}

/** What is typed goes into the address once the hand rests. */
function Search({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => onChange(typed), TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed, text, onChange]);
  return <SearchField label="Search the log" value={typed} onChange={setTyped} />;
}

function Projects({ value, onChange }: { value: string; onChange: (project: string) => void }) {
  const projects = useTopic("project-progress")?.data.projects;
  const options = useMemo(() => {
    const names = new Map(Object.values(projects ?? {}).map(({ project_id, project_name }) => [project_id, project_name || project_id]));
    // A link may name a project that is archived by now.
    if (value && !names.has(value)) names.set(value, value);
    return [["", "All projects"] as const, ...names];
  }, [projects, value]);
  return options.length > 1 ? <Choice label="Project" value={value} onChange={onChange} options={options} /> : null;
}
