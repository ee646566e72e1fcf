import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { compact } from "../format";
import type { IconName } from "../icons";
import { State, useTopicSource } from "../state";
import { Figure, Section } from "../ui";

interface Card {
  icon: IconName;
  label: string;
  value: number;
  note: string;
  source: string;
}

/** The six cards of R-027, each with the source whose silence makes its number meaningless. */
export function cards({ statistics: s }: Topics["overview"]): Card[] {
  return [
    { icon: "chat", label: "Chats", value: s.totalConversations, note: "in total", source: "conversations" },
    { icon: "training", label: "Training", value: s.totalTrainingJobs, note: `${compact(s.activeTrainingJobs)} active`, source: "training" },
    { icon: "models", label: "Models", value: s.totalModels, note: `${compact(s.runningServers)} running`, source: "models" },
    { icon: "datasets", label: "Datasets", value: s.readyDatasets, note: "ready", source: "datasets" },
    { icon: "message", label: "Messages", value: s.messagesToday, note: "today", source: "conversations" },
    { icon: "tokens", label: "Tokens", value: s.tokensThisWeek, note: "this week", source: "conversations" },
  ];
}

function Overview() {
  const source = useTopicSource("overview");
  return (
    <Section id="overview" title="Workspace" at={source.at}>
      <State of={source} what="the workspace" lines={2}>
        {(data) => (
          <>
            <ul className="figures six">
              {cards(data).map(({ source: from, value, note, ...card }) => {
                const silent = data.absent.includes(from);
                return <Figure key={card.label} {...card} value={silent ? undefined : compact(value)} note={silent ? "no source yet" : note} />;
              })}
            </ul>
            <Quick of={data.quickStats} />
          </>
        )}
      </State>
    </Section>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function Quick({ of: { trainingSuccessRate, averageConversationLength, mostUsedModel } }: { of: Topics["overview"]["quickStats"] }) {
  const said = [
    trainingSuccessRate != null && `trainings that succeed: ${trainingSuccessRate}%`,
    averageConversationLength != null && `messages per chat: ${averageConversationLength}`,
    mostUsedModel && `most used: ${mostUsedModel}`,
  ].filter(Boolean);
  return said.length > 0 ? <p className="muted small">{capital(said.join(" · "))}</p> : null;
}

export default { id: "overview", title: "Workspace", order: 60, w: 2, h: 2, topics: ["overview"], component: Overview } satisfies Widget;
