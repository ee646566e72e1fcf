import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { percent } from "../format";
import { State, useTopicSource } from "../state";
import { Badge, Bar, Section, type Tone } from "../ui";

const TONES: Record<Topics["project-progress"]["projects"][string]["status_color"], Tone> = { green: "ok", yellow: "warn", red: "bad" };
const byName = new Intl.Collator().compare;

const NONE = (
  <>
    No active projects
    <small>Programs that publish projects and reviews are followed here.</small>
  </>
);

function Projects() {
  const source = useTopicSource("project-progress");
  return (
    <Section id="projects" title="Project progress" at={source.at} scrolls>
      <State
        of={source}
        what="projects"
        empty={{ when: ({ projects }) => Object.keys(projects).length === 0, icon: "layout", say: NONE }}
      >
        {({ projects }) => (
          <ul className="rows">
            {Object.entries(projects)
              .sort(([, a], [, b]) => byName(a.project_name, b.project_name))
              .map(([key, { project_name, scenes_approved, scenes_total, progress_pct, status, status_color }]) => (
                <li key={key}>
                  <div className="line">
                    <span className="name">{project_name}</span>
                    {status === "blocked" && <Badge tone="bad">blocked</Badge>}
                    <span className="muted end">{scenes_total > 0 ? `${scenes_approved}/${scenes_total} scenes` : "no scenes yet"}</span>
                    {progress_pct != null && <strong className="percent">{percent(progress_pct)}</strong>}
                  </div>
                  {progress_pct != null && <Bar value={progress_pct} label={`Approved scenes of ${project_name}`} tone={TONES[status_color]} />}
                </li>
              ))}
          </ul>
        )}
      </State>
    </Section>
  );
}

export default {
  id: "project-progress", title: "Project progress", order: 2, w: 2, h: 2, scrolls: true, topics: ["project-progress"], component: Projects,
} satisfies Widget;
