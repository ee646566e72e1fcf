import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { answer, api } from "../../api/client";
import type { Topics } from "../../api/types";
import { useTopic } from "../../api/useLive";
import { bytes, compact, percent } from "../../format";
import { Icon } from "../../icons";
import { Badge, Bar, Button, Section } from "../../ui";
import { byText } from "./facets";
import { isTexts, KEYS, useStored } from "./stored";
import { useStart } from "./useStart";
import type { Featured as Model } from "./data";

export const SETTINGS_KEY = ["user", "settings"] as const;

/** Whether the user wants featured models at all; while that is not known, they are not shown. */
function useWanted(): boolean {
  const settings = useQuery({ queryKey: SETTINGS_KEY, queryFn: () => answer(api.GET("/api/v1/user/settings")), staleTime: 60_000 });
  return settings.data?.show_featured_models ?? false;
}

/** What the list is known by: when another one comes, what was dismissed is shown again. */
export function signs({ last_updated, models }: Topics["featured"]): string[] {
  return [...(last_updated ? [`@${last_updated}`] : []), ...Object.keys(models).sort()];
}

/** Whether there is anything that was not there when the list was dismissed. */
export function hasNews(now: readonly string[], dismissed: readonly string[]): boolean {
  return now.some((sign) => !dismissed.includes(sign));
}

interface FeaturedProps {
  onLearnMore: (repo: string) => void;
  onMore: () => void;
}

/** Models to begin with, in a row that scrolls; put away until there are others. */
export default function Featured({ onLearnMore, onMore }: FeaturedProps) {
  const held = useTopic("featured");
  const wanted = useWanted();
  const [dismissed, setDismissed] = useStored(KEYS.featured, isTexts, []);
  const row = useRef<HTMLUListElement>(null);
  if (!wanted || !held) return null;
  const present = signs(held.data);
  const models = Object.values(held.data.models);
  if (models.length === 0 || !hasNews(present, dismissed)) return null;
  const fresh = dismissed.length > 0;
  const ordered = models.toSorted((a, b) => (b.metadata.downloads ?? 0) - (a.metadata.downloads ?? 0) || byDate(b, a));
  const scroll = (direction: number) => {
    const list = row.current;
    list?.scrollBy({ left: direction * Math.max(260, list.clientWidth - 120), behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };
  const dismiss = () => {
    setDismissed(present);
    document.querySelector<HTMLElement>("#main h1")?.focus();
  };
  return (
    <Section
      id="featured"
      title="Featured models"
      at={held.at}
      actions={
        <>
          {fresh && <Badge tone="info">New</Badge>}
          <Button icon="arrowLeft" kind="quiet" label="Earlier featured models" onClick={() => scroll(-1)} />
          <Button icon="arrowRight" kind="quiet" label="Further featured models" onClick={() => scroll(1)} />
          <Button icon="close" kind="quiet" label="Dismiss featured models until there are new ones" onClick={dismiss} />
        </>
      }
    >
      <ul className="carousel" ref={row}>
        {ordered.map((model, index) => (
          <Card key={model.id} model={model} first={index === 0} onLearnMore={onLearnMore} />
        ))}
        <li className="featured-card more-card">
          <p>Looking for another one?</p>
          <Button icon="search" onClick={onMore}>
            More models
          </Button>
        </li>
      </ul>
    </Section>
  );
}

function byDate(a: Model, b: Model): number {
  return (a.published_at ?? "").localeCompare(b.published_at ?? "") || byText(b.name, a.name);
}

interface CardProps {
  model: Model;
  /** The one that is set off. */
  first: boolean;
  onLearnMore: (repo: string) => void;
}

function Card({ model, first, onLearnMore }: CardProps) {
  const { name, description, tags, repo, filename, size_category, size_bytes, status, metadata, download_id } = model;
  const { start, starting, refusal } = useStart();
  const queue = useTopic("queue")?.data;
  const item = download_id ? (queue?.active[download_id] ?? queue?.queue[download_id]) : undefined;
  const downloads = metadata.downloads_24h ?? metadata.downloads;
  return (
    <li className={`featured-card${first ? " first" : ""}`} data-featured={model.id}>
      <h3>
        <button type="button" className="text" onClick={() => onLearnMore(repo)}>
          {name}
        </button>
      </h3>
      <p className="muted small">
        {[
          metadata.family,
          size_category && `size ${size_category}`,
          size_bytes && bytes(size_bytes),
          downloads != null && `${compact(downloads)} downloads${metadata.downloads_24h == null ? "" : " today"}`,
          metadata.likes != null && `${compact(metadata.likes)} likes`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      <p className="description">{description}</p>
      <ul className="tags" aria-label="Tags">
        {tags.slice(0, 3).map((tag) => (
          <li key={tag}>{tag}</li>
        ))}
      </ul>
      {refusal && (
        <p className="reason small" role="alert">
          {refusal}
        </p>
      )}
      <div className="foot">
        {model.links["huggingface"] && (
          <a className="icon quiet" href={model.links["huggingface"]} target="_blank" rel="noreferrer" title="Open on Hugging Face">
            <Icon name="external" />
            <span className="sr">Open {name} on Hugging Face, in a new tab</span>
          </a>
        )}
        {status === "downloading" ? (
          <span className="flight">
            <Bar value={item?.progress} label={`Progress of ${name}`} />
            <span className="percent">{item?.progress == null ? "Queued" : percent(item.progress)}</span>
          </span>
        ) : status === "downloaded" ? (
          <Badge tone="ok">Downloaded</Badge>
        ) : (
          filename && (
            <Button icon="download" kind="primary" busy={starting} disabled={starting} label={`Try now: ${name}`} onClick={() => start([{ repo, filename }], name)}>
              Try now
            </Button>
          )
        )}
      </div>
    </li>
  );
}
