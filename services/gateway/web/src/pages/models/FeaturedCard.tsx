import { useTopic } from "../../api/useLive";
import { bytes, percent } from "../../format";
import { Icon } from "../../icons";
import { Badge, Bar, Button } from "../../ui";
import type { Featured as Model } from "./data";
import { RepositoryBadges, Tags } from "./RepositoryHead";
import { useStart } from "./useStart";

interface FeaturedCardProps {
  model: Model;
  /** The one that is set off. */
  first: boolean;
  /** It came after the list was dismissed. */
  isNew: boolean;
  onLearnMore: (repo: string) => void;
}

/** A featured model: what it is, what others think of it, and one press to have it. */
export function FeaturedCard({ model, first, isNew, onLearnMore }: FeaturedCardProps) {
  const { name, description, tags, repo, size_category, size_bytes, metadata, links } = model;
  const size = [size_category && `Size ${size_category}`, size_bytes && bytes(size_bytes)].filter(Boolean).join(", ");
  return (
    <li className={`featured-card${first ? " first" : ""}`} data-featured={model.id}>
      <div className="featured-title">
        <h3>
          <button type="button" className="text" onClick={() => onLearnMore(repo)}>
            {name}
          </button>
        </h3>
        {links["huggingface"] && (
          <a className="icon quiet" href={links["huggingface"]} target="_blank" rel="noreferrer" title="Open on Hugging Face">
            <Icon name="external" />
            <span className="sr">Open {name} on Hugging Face, in a new tab</span>
          </a>
        )}
      </div>
      <RepositoryBadges of={{ model_family: metadata.family ?? null, downloads: counted(model) ?? null, likes: metadata.likes ?? null }} today={metadata.downloads_24h != null} />
      <p className="description">{description}</p>
      <div className="featured-tags">
        {isNew ? <Badge tone="info">New</Badge> : first && <Badge tone="info">{counted(model) == null ? "First pick" : "Most wanted"}</Badge>}
        <Tags of={tags} most={3} />
      </div>
      <Action model={model} size={size} onLearnMore={onLearnMore} />
    </li>
  );
}

/** How often it was downloaded, lately if that is known. */
export function counted({ metadata: { downloads, downloads_24h } }: Model): number | undefined {
  return downloads_24h ?? downloads ?? undefined;
}

/** One of several files that are one model: it is of no use alone. */
const PART = /-\d{5}-of-\d{5}\.[^.]+$/;

interface ActionProps {
  model: Model;
  size: string;
  onLearnMore: (repo: string) => void;
}

function Action({ model: { name, repo, filename, status, download_id }, size, onLearnMore }: ActionProps) {
  const { start, starting, refusal } = useStart();
  const queue = useTopic("queue")?.data;
  const item = download_id ? (queue?.active[download_id] ?? queue?.queue[download_id]) : undefined;
  return (
    <>
      {refusal && (
        <p className="reason small" role="alert">
          {refusal}
        </p>
      )}
      <div className="foot">
        {status === "downloading" ? (
          <span className="flight">
            <Bar value={item?.progress} label={`Progress of ${name}`} />
            <span className="percent">{item?.status === "paused" ? "Paused" : item?.progress == null ? "Queued" : percent(item.progress)}</span>
          </span>
        ) : (
          <>
            <span className="muted small">{size}</span>
            {status === "downloaded" ? (
              <Badge tone="ok">Downloaded</Badge>
            ) : (
              filename && (
                <Button icon="download" kind="primary" busy={starting} disabled={starting} label={`Try now: ${name}`} onClick={() => (PART.test(filename) ? onLearnMore(repo) : start([{ repo, filename }], name))}>
                  Try now
                </Button>
              )
            )}
          </>
        )}
      </div>
    </>
  );
}
