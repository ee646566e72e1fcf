import { useId, useState } from "react";
import type { ActivityEntry } from "../../api/types";
import { ago } from "../../format";
import { Icon } from "../../icons";
import { Badge, Button } from "../../ui";
import { iconOf, toneOf } from "../../widgets/activity";
import { reachable } from "../paths";

export interface RowActions {
  onStory: (entry: ActivityEntry) => void;
  onLookBack: (entry: ActivityEntry) => void;
}

interface RowProps extends RowActions {
  entry: ActivityEntry;
  now: number;
  /** The log is of this project only, so that its name need not stand beside each entry. */
  ofProject: boolean;
}

/** One entry of the log; what else is known of it, and where it leads, opens below. */
export function Row({ entry, now, ofProject, ...actions }: RowProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const { title, subtitle, status, timestamp, project_name } = entry;
  const href = leadsTo(entry)?.href;
  const tone = toneOf(entry);
  return (
    <li className={open ? "open" : undefined}>
      <span className={`mark ${tone}`}>
        <Icon name={iconOf(entry)} />
      </span>
      <div className="what">
        {href ? (
          <a className="name" href={href}>
            {title}
          </a>
        ) : (
          <span className="name">{title}</span>
        )}
        {subtitle && <p className={tone === "bad" ? "reason" : "muted"}>{subtitle}</p>}
      </div>
      <p className="aside muted">
        {project_name && !ofProject && <span className="of">{project_name}</span>}
        <time dateTime={timestamp} title={new Date(timestamp).toLocaleString()}>
          {ago(timestamp, now)}
        </time>
      </p>
      <span className="status">{status && <Badge tone={tone}>{status}</Badge>}</span>
      <button
        type="button"
        className="button quiet more-of"
        aria-expanded={open}
        aria-controls={id}
        aria-label={`Details of ${title}, ${new Date(timestamp).toLocaleTimeString()}`}
        onClick={() => setOpen(!open)}
      >
        <span>Details</span>
        <Icon name={open ? "chevronUp" : "chevronDown"} />
      </button>
      <div id={id} className="details" hidden={!open}>
        {open && <Details entry={entry} {...actions} />}
      </div>
    </li>
  );
}

function Details({ entry, onStory, onLookBack }: { entry: ActivityEntry } & RowActions) {
  const leads = leadsTo(entry);
  const facts: readonly (readonly [string, string | null | undefined])[] = [
    ["When", new Date(entry.timestamp).toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" })],
    ["By", entry.actor_user_id],
    ["Project", entry.project_name],
    ["Place in the log", entry.seq?.toString()],
  ];
  return (
    <>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <div className="buttons">
        {entry.download_id && (
          <Button icon="activity" onClick={() => onStory(entry)}>
            Story of this download
          </Button>
        )}
        <Button icon="reset" onClick={() => onLookBack(entry)}>
          See everything as it was then
        </Button>
        {leads && (
          <a className="button" href={leads.href}>
            {leads.says}
          </a>
        )}
      </div>
    </>
  );
}

const SAYS: readonly (readonly [begins: string, says: string])[] = [
  ["/models?preset=", "Open the preset"],
  ["/models?file=", "Open the file"],
  ["/models", "Open the models"],
  ["/workflows", "Open the workflow"],
  ["/activity?project_id=", "Only this project"],
  ["/?job=", "Show it on the dashboard"],
];

/** Where an entry leads besides this very page, and what to call that. */
function leadsTo({ link }: ActivityEntry): { href: string; says: string } | undefined {
  const href = reachable(link);
  if (!href || href === "/activity") return undefined;
  return { href, says: SAYS.find(([begins]) => href.startsWith(begins))?.[1] ?? "Open it" };
}
