import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { useTopic } from "../../api/useLive";
import { count } from "../../format";
import { sourceOf, State } from "../../state";
import { Badge, Button, Section } from "../../ui";
import { version } from "../../../package.json";

interface Detail {
  problems?: string[];
  pool?: string;
  worker?: string;
  running?: number;
  presets_problem?: string;
  featured_problem?: string;
  models_problem?: string;
  model_files?: number;
  templates?: number;
  hashing?: { waiting?: number };
  presets_refresh_s?: number;
}

export interface Service {
  ok?: boolean;
  detail?: Detail;
}

export function useHealth() {
  return useQuery({ queryKey: ["health"], queryFn: () => answer(api.GET("/api/v1/system/health")), retry: 1, staleTime: 5_000 });
}

/** The places that models are kept in, and who fetches and counts there. */
export function Pools() {
  const health = useHealth();
  const hosts = useTopic("resources")?.data.hosts;
  return (
    <Section id="pools" title="Pools" at={health.dataUpdatedAt || undefined} actions={<Button icon="refresh" kind="quiet" label="Look again" busy={health.isFetching} onClick={() => void health.refetch()} />}>
      <State of={sourceOf(health)} what="the pools" lines={2}>
        {({ services }) => {
          const downloader = (services["downloader"] as Service | undefined)?.detail;
          const catalog = (services["catalog"] as Service | undefined)?.detail;
          const names = new Set([downloader?.pool, ...Object.values(hosts ?? {}).map((host) => (host as { pool?: string }).pool)].filter((name) => name !== undefined));
          if (names.size === 0) return <p className="none">No service has told of a pool yet.</p>;
          return (
            <ul className="rows">
              {[...names].sort().map((name) => {
                const own = name === downloader?.pool;
                const on = Object.entries(hosts ?? {}).filter(([, host]) => (host as { pool?: string }).pool === name);
                const facts = [
                  on.length > 0 && `on ${on.map(([host, { stale }]) => (stale ? `${host} (silent)` : host)).join(", ")}`,
                  own && downloader?.running !== undefined && `${count(downloader.running)} running`,
                  own && catalog?.model_files !== undefined && `${count(catalog.model_files)} model files`,
                  own && catalog?.templates !== undefined && `${count(catalog.templates)} templates`,
                  own && catalog?.hashing?.waiting ? `${count(catalog.hashing.waiting)} files wait to be hashed` : undefined,
                ].filter(Boolean);
                return (
                  <li key={name}>
                    <div className="line">
                      <span className="name">{name}</span>
                      {own && <Badge tone="info">shown here</Badge>}
                    </div>
                    <p className="muted small">{facts.join(" · ")}</p>
                  </li>
                );
              })}
            </ul>
          );
        }}
      </State>
    </Section>
  );
}

/** What this is, whether all of it runs, and where its interfaces are described. */
export function About() {
  const health = useHealth();
  return (
    <Section id="about" title="About" at={health.dataUpdatedAt || undefined}>
      <p>
        Modeldeck <strong>{version}</strong>
      </p>
      <State of={sourceOf(health)} what="the services" lines={2}>
        {({ services, seq, epoch }) => (
          <>
            <ul className="services">
              {Object.entries(services).map(([name, service]) => (
                <li key={name}>
                  <span>{name}</span>
                  {(service as Service).ok ? <Badge tone="ok">ready</Badge> : <Badge tone="bad">not ready</Badge>}
                  {problemsOf(service as Service).map((problem) => (
                    <p key={problem} className="reason">
                      {problem}
                    </p>
                  ))}
                </li>
              ))}
            </ul>
            <p className="muted small">
              {count(seq)} facts in the log <code>{epoch.slice(0, 8)}</code>
            </p>
          </>
        )}
      </State>
      <p className="links">
        <a href="/docs" target="_blank" rel="noreferrer">
          HTTP interface
        </a>
        <a href="/api/v1/asyncapi.json" target="_blank" rel="noreferrer">
          Events (AsyncAPI)
        </a>
      </p>
    </Section>
  );
}

function problemsOf({ detail = {} }: Service): string[] {
  const { problems = [], presets_problem, featured_problem, models_problem } = detail;
  return [...problems, presets_problem, featured_problem, models_problem].filter((text): text is string => Boolean(text));
}
