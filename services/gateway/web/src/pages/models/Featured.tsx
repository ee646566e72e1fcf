import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { answer, api } from "../../api/client";
import type { Topics } from "../../api/types";
import { useTopic } from "../../api/useLive";
import { notify } from "../../toasts";
import { Badge, Button, Loading, Section } from "../../ui";
import type { Featured as Model } from "./data";
import { counted, FeaturedCard } from "./FeaturedCard";
import { Turn } from "./Pages";
import { isTexts, KEYS, useStored } from "./stored";
import { useEnds } from "./useEnds";
import "./hubs.css";

export const SETTINGS_KEY = ["user", "settings"] as const;

/** Whether the user wants featured models at all; undefined while that is not known. */
function useWanted(): boolean | undefined {
  const settings = useQuery({ queryKey: SETTINGS_KEY, queryFn: () => answer(api.GET("/api/v1/user/settings")), staleTime: 60_000 });
  return settings.isError ? false : settings.data?.show_featured_models;
}

/** What the list is known by: when another one comes, what was dismissed is shown again. */
export function signs({ last_updated, models }: Topics["featured"]): string[] {
  return [...(last_updated ? [`@${last_updated}`] : []), ...Object.keys(models).sort()];
}

/** Whether there is anything that was not there when the list was dismissed. */
export function hasNews(now: readonly string[], dismissed: readonly string[]): boolean {
  return now.some((sign) => !dismissed.includes(sign));
}

/** The most wanted first, where anybody counts; else as the list has them. */
export function trending(models: readonly Model[]): Model[] {
  return models.toSorted((a, b) => (counted(b) ?? 0) - (counted(a) ?? 0));
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
  const models = held ? Object.values(held.data.models) : [];
  const present = held ? signs(held.data) : [];
  const shown = wanted !== false && (held ? models.length > 0 && hasNews(present, dismissed) : dismissed.length === 0);
  const fresh = dismissed.length > 0 ? models.filter(({ id }) => !dismissed.includes(id)) : [];
  useNotice(shown && wanted === true ? fresh : []);
  const row = useRef<HTMLUListElement>(null);
  const ends = useEnds(row, wanted ? models.length : 0);
  if (!shown) return null;
  const scroll = (direction: number) => {
    const list = row.current;
    const step = Math.max(260, (list?.clientWidth ?? 0) - 120);
    list?.scrollBy({ left: direction * step, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };
  const dismiss = () => {
    setDismissed(present);
    document.querySelector<HTMLElement>("#main h1")?.focus();
  };
  if (!held || wanted === undefined)
    return (
      <Section id="featured" title="Featured models">
        <div className="featured-loading">
          <Loading what="featured models" lines={1} />
        </div>
      </Section>
    );
  return (
    <Section
      id="featured"
      title="Featured models"
      at={held.at}
      actions={
        <>
          {dismissed.length > 0 && <Badge tone="info">{fresh.length > 0 ? `${fresh.length} new` : "New list"}</Badge>}
          <Turn icon="arrowLeft" label="Earlier featured models" off={ends.first} onClick={() => scroll(-1)} />
          <Turn icon="arrowRight" label="Further featured models" off={ends.last} onClick={() => scroll(1)} />
          <Button icon="close" kind="quiet" label="Dismiss featured models until there are new ones" onClick={dismiss} />
        </>
      }
    >
      <ul className="carousel" ref={row} tabIndex={-1}>
        {trending(models).map((model, index) => (
          <FeaturedCard key={model.id} model={model} first={index === 0} isNew={fresh.includes(model)} onLearnMore={onLearnMore} />
        ))}
        <li className="featured-card more-card">
          <p>Looking for another one?</p>
          <Button icon="search" label="More models" onClick={onMore}>
            More…
          </Button>
          <p className="small">By name or link, from any hub</p>
        </li>
      </ul>
      {ends.untouched && (
        <p className="swipe-hint muted small" aria-hidden="true">
          Swipe for more
        </p>
      )}
    </Section>
  );
}

/** Tell once of models that came since the list was dismissed. */
function useNotice(fresh: readonly Model[]): void {
  const [told, setTold] = useStored(KEYS.told, isTexts, []);
  const news = fresh.filter(({ id }) => !told.includes(id));
  const key = news.map(({ id }) => id).join("\n");
  const [names] = useState(() => ({ current: "" }));
  names.current = news.map(({ name }) => name).join(", ");
  useEffect(() => {
    if (!key) return;
    notify({ type: "info", title: "New featured models", message: names.current });
    setTold([...told, ...key.split("\n")]);
  }, [key, names, told, setTold]);
}
