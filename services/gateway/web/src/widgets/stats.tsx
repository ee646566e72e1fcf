import type { Widget } from "../board/registry";
import { count } from "../format";
import { Days } from "../Days";
import type { IconName } from "../icons";
import { State, useTopicSource } from "../state";
import { Figure, Section } from "../ui";

/** A source that never reported has no numbers: its zero would look like data (C-17). */
function Stats() {
  const source = useTopicSource("stats");
  return (
    <Section id="stats" title="At a glance" at={source.at}>
      <State of={source} what="the numbers" lines={1}>
        {({ modelsInstalled, model_files, storageUsed, totalGenerations, activeWorkflows, absent, trends }) => {
          const silent = absent.includes("generations");
          const figures: [IconName, string, string | undefined, string, (readonly number[] | undefined)?][] = [
            ["presets", "Models installed", count(modelsInstalled), modelsInstalled === 1 ? "preset" : "presets"],
            ["disk", "Storage used", storageUsed, model_files === 1 ? "1 model file" : `${count(model_files)} model files`],
            ["image", "Generations", silent ? undefined : count(totalGenerations), "finished", trends?.generations],
            ["workflows", "Active workflows", silent ? undefined : count(activeWorkflows), "running now"],
          ];
          return (
            <ul className="figures four">
              {figures.map(([icon, label, value, note, trend]) => (
                <Figure key={label} icon={icon} label={label} value={value} note={value === undefined ? "no source yet" : note}>
                  {trend && <Days counts={trend} label={label} />}
                </Figure>
              ))}
            </ul>
          );
        }}
      </State>
    </Section>
  );
}

export default { id: "stats", title: "At a glance", order: 10, w: 4, h: 1, topics: ["stats"], component: Stats } satisfies Widget;
