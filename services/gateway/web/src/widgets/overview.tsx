import type { Topics } from "../api/types";
import type { Widget } from "../board/registry";
import { Days } from "../Days";
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
  trend?: readonly number[] | undefined;
}

/** The six cards of R-027, each with the source whose silence makes its number meaningless. */
export function cards({ statistics: s, trends }: Topics["overview"]): Card[] {
  return [
    { icon: "chat", label: "Chats", value: s.totalConversations, note: "in total", source: "conversations" },
    { icon: "training", label: "Training", value: s.totalTrainingJobs, note: `${compact(s.activeTrainingJobs)} active`, source: "training" },
    { icon: "models", label: "Models", value: s.totalModels, note: `${compact(s.runningServers)} running`, source: "models" },
    { icon: "datasets", label: "Datasets", value: s.readyDatasets, note: "ready", source: "datasets" },
    { icon: "message", label: "Messages", value: s.messagesToday, note: "today", source: "conversations", trend: trends?.messages },
    { icon: "tokens", label: "Tokens", value: s.tokensThisWeek, note: "this week", source: "conversations", trend: trends?.tokens },
  ];
}

const NONE = (
  <>
    No chats, trainings or datasets yet
    <small>
      Programs that publish theirs are counted here. <a href="/docs">How they do that</a>
    </small>
  </>
);

function Overview() {
  const source = useTopicSource("overview");
  return (
    <Section id="overview" title="Workspace" at={source.at}>
      <State of={source} what="the workspace" lines={1} empty={{ when: (data) => cards(data).every(({ source: from }) => data.absent.includes(from)), icon: "chat", say: NONE }}>
        {(data) => (
          <>
            <ul className="figures six">
              {cards(data).map(({ source: from, value, note, trend, ...card }) => {
                const silent = data.absent.includes(from);
                return (
                  <Figure key={card.label} {...card} value={silent ? undefined : compact(value)} note={silent ? "no source yet" : note}>
                    {!silent && trend && <Days counts={trend} label={card.label} />}
                  </Figure>
                );
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

export default { id: "overview", title: "Workspace", order: 60, w: 4, h: 1, topics: ["overview"], component: Overview } satisfies Widget;
