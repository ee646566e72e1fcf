import { Icon } from "../../icons";
import { notify } from "../../toasts";
import { Button } from "../../ui";
import type { Repository, Variant } from "./data";
import { Menu, type Entry } from "./Menu";
import { presence, RepositoryBadges, Tags } from "./RepositoryHead";
import { VariantsTable } from "./VariantsTable";
import { hubPage } from "./variants";

interface RepositoryCardProps {
  repository: Repository;
  /** Those of its variants that fit the filters. */
  variants: readonly Variant[];
  open: boolean;
  onToggle: () => void;
  onDetails: () => void;
  onDownload: () => void;
}

/** One repository: its name and what is said of it; unfolded, its variants. On phones a swipe shows its quick actions. */
export function RepositoryCard({ repository, variants, open, onToggle, onDetails, onDownload }: RepositoryCardProps) {
  const { repo, local, metadata } = repository;
  const name = local ? repo.replace(/^local\//, "") : repo;
  const page = hubPage(repository);
  const id = `repo-${repo}`;
  const more: Entry[] = [
    { icon: open ? "chevronUp" : "chevronDown", does: open ? "Hide variants" : "Show variants", run: onToggle },
    ...(local ? [] : [{ icon: "info" as const, does: "Details", run: onDetails }, { icon: "download" as const, does: "Download a variant…", run: onDownload }]),
    ...(page ? [{ icon: "external" as const, does: "Open on its hub", href: page }] : []),
    { icon: "copy", does: "Copy name", run: () => copy(name) },
  ];
  return (
    <li className="repo" data-repo={repo}>
      <div className="repo-head">
        <button type="button" className="repo-toggle" aria-expanded={open} aria-controls={open ? id : undefined} onClick={onToggle}>
          <Icon name="chevronRight" />
          <span className="repo-name">
            <Icon name={local ? "folder" : "models"} />
            <span className="name" title={name}>
              {name}
            </span>
          </span>
          <RepositoryBadges of={metadata}>{presence(repository)}</RepositoryBadges>
        </button>
        <div className="repo-quick">
          {!local && (
            <Button icon="info" kind="quiet" label={`Details of ${name}`} onClick={onDetails} />
          )}
          {page && (
            <a className="icon quiet" href={page} target="_blank" rel="noreferrer" title="Open its page on the hub">
              <Icon name="external" />
              <span className="sr">Open {name} on its hub, in a new tab</span>
            </a>
          )}
        </div>
        <div className="repo-more">
          <Menu label={`More about ${name}`} entries={more} />
        </div>
      </div>
      {open && (
        <div id={id} className="repo-body">
          <Tags of={metadata.tags} />
          <VariantsTable repository={repository} variants={variants} name={name} onInfo={onDetails} />
        </div>
      )}
    </li>
  );
}

/** Without a clipboard (a page that is not served safely) the name is at least to be read and marked. */
function copy(text: string): void {
  const told = () => notify({ type: "info", title: "Copied", message: text });
  const refused = () => notify({ type: "warning", title: "Not copied: this browser does not allow it", message: text });
  if (navigator.clipboard) void navigator.clipboard.writeText(text).then(told, refused);
  else refused();
}
