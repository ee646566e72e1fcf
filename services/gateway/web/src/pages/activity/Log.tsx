import { useMemo, useState } from "react";
import type { ActivityEntry } from "../../api/types";
import { useNow, useTopic } from "../../api/useLive";
import { Choice, Filters, SearchField } from "../../parts/filters";
import { State } from "../../state";
import { Badge, Button, Section } from "../../ui";
import { CATEGORIES, EntryRow, More, useFeed } from "../../widgets/activity";
import { byDay, containing } from "./days";
import { useHeld } from "./useHeld";

interface LogProps {
  at: number | undefined;
  category: string;
  project: string;
  onFilter: (change: { category?: string; project_id?: string }) => void;
  onStory: (entry: ActivityEntry) => void;
  onLookBack: (entry: ActivityEntry) => void;
}

/** The log, newest first: filtered, read further back on demand, with what happens now on top. */
export function Log({ at, category, project, onFilter, onStory, onLookBack }: LogProps) {
  const now = useNow(30_000);
  const [text, setText] = useState("");
  const projects = useTopic("project-progress")?.data.projects;
  const names = useMemo(() => new Map(Object.values(projects ?? {}).map(({ project_id, project_name }) => [project_id, project_name || project_id])), [projects]);
  const { before, rows } = useFeed({ category, project, at: at === undefined ? undefined : `${at}` });
  const held = useHeld(rows, at === undefined);
  const shown = useMemo(() => containing(held.rows, text), [held.rows, text]);
  const known = before.data || rows.length > 0 ? shown : undefined;
  const filtered = category !== "" || project !== "" || text !== "";
  const options = useMemo(() => [["", "All projects"] as const, ...names], [names]);
  return (
    <Section id="log" title={at === undefined ? "Log" : "The log then"} at={before.dataUpdatedAt || undefined} {...(at !== undefined && { count: <Badge tone="warn">Past</Badge> })}>
      <Filters label="Log">
        <SearchField label="Search the log" value={text} onChange={setText} />
        <Choice label="Kind" value={category} onChange={(value) => onFilter({ category: value })} options={CATEGORIES} />
        {options.length > 1 && <Choice label="Project" value={project} onChange={(value) => onFilter({ project_id: value })} options={options} />}
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
        empty={{
          when: (list) => list.length === 0,
          icon: "activity",
          say: text ? `Nothing in the ${rows.length} newest entries says that.` : filtered ? "Nothing of this kind yet" : at === undefined ? "Nothing has happened yet" : "Nothing had happened yet",
        }}
      >
        {(list) =>
          byDay(list, now).map(({ day, entries }) => (
            <section key={day} className="day">
              <h3>{day}</h3>
              <ol className="feed">
                {entries.map((entry) => (
                  <EntryRow key={entry.id} entry={entry} now={now}>
                    {entry.project_id && project === "" && <ProjectName of={names.get(entry.project_id)} />}
                    <Actions entry={entry} onStory={onStory} onLookBack={onLookBack} />
                  </EntryRow>
                ))}
              </ol>
            </section>
          ))
        }
      </State>
      {before.hasNextPage && text === "" && <More busy={before.isFetchingNextPage} onMore={() => void before.fetchNextPage()} />}
      {before.hasNextPage && text !== "" && (
        <div className="more">
          <Button busy={before.isFetchingNextPage} disabled={before.isFetchingNextPage} onClick={() => void before.fetchNextPage()}>
            Search further back
          </Button>
        </div>
      )}
      {!before.hasNextPage && rows.length > 0 && <p className="more">{filtered ? "That is all." : "This is the beginning of the log."}</p>}
    </Section>
  );
}

function ProjectName({ of }: { of: string | undefined }) {
  return of ? (
    <ul className="tags" aria-label="Project">
      <li>{of}</li>
    </ul>
  ) : null;
}

function Actions({ entry, onStory, onLookBack }: { entry: ActivityEntry } & Pick<LogProps, "onStory" | "onLookBack">) {
  return (
    <div className="entry-actions">
      {entry.download_id && (
        <Button kind="quiet" label={`The story of ${entry.title}`} onClick={() => onStory(entry)}>
          Story
        </Button>
      )}
      <Button kind="quiet" icon="reset" label={`Look back to ${entry.title}, ${new Date(entry.timestamp).toLocaleTimeString()}`} onClick={() => onLookBack(entry)} />
    </div>
  );
}
