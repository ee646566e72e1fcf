import { compact } from "../../format";
import { Icon } from "../../icons";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, Button } from "../../ui";
import { describedFacts, Facts, Folded, Links, variantFacts } from "./Facts";
import { STATUS_NAMES } from "./RepositoriesTab";
import { useDetails, useRepositories } from "./data";

interface RepositoryDrawerProps {
  repo: string;
  onClose: () => void;
  onDownload: (text: string) => void;
}

/** What the hub says of a repository, and what each of its files here is. */
export default function RepositoryDrawer({ repo, onClose, onDownload }: RepositoryDrawerProps) {
  const details = useDetails(repo);
  const repository = useRepositories().data?.repositories.find((known) => known.repo === repo);
  return (
    <Drawer title={repo} about={details.data && popularity(details.data)} onClose={onClose}>
      <State of={sourceOf(details)} what="the repository" lines={5}>
        {(data) => (
          <>
            {data.description && (
              <section>
                <h3>Description</h3>
                <Folded>{data.description}</Folded>
              </section>
            )}
            {data.tags.length > 0 && (
              <ul className="tags" aria-label="Tags">
                {data.tags.map((tag) => (
                  <li key={tag}>{tag}</li>
                ))}
              </ul>
            )}
            <section>
              <h3>Model</h3>
              <Facts of={describedFacts(data)} />
            </section>
            <Links of={data.links} />
          </>
        )}
      </State>
      {repository && (
        <section>
          <h3>Variants</h3>
          <ul className="variant-facts">
            {repository.variants.map((variant) => (
              <li key={variant.path ?? variant.filename}>
                <details>
                  <summary>
                    <Icon name="chevronRight" />
                    <span className="name">{variant.filename}</span>
                    <Badge tone={variant.status === "downloaded" ? "ok" : variant.status === "downloading" ? "info" : "idle"}>{STATUS_NAMES[variant.status]}</Badge>
                  </summary>
                  <Facts of={variantFacts(variant)} />
                  {variant.status === "downloaded" && variant.path && (
                    <p>
                      <a href={`/models?file=${encodeURIComponent(variant.path)}`}>Who needs it, and where it came from</a>
                    </p>
                  )}
                </details>
              </li>
            ))}
          </ul>
        </section>
      )}
      {!repository?.local && (
        <DrawerFoot>
          <Button icon="download" kind="primary" onClick={() => onDownload(repo)}>
            Choose a variant…
          </Button>
        </DrawerFoot>
      )}
    </Drawer>
  );
}

export function popularity({ likes, downloads, license }: { likes?: number | null; downloads?: number | null; license?: string | null }): string {
  return [
    likes == null ? undefined : `${compact(likes)} likes`,
    downloads == null ? undefined : `${compact(downloads)} downloads`,
    license == null ? undefined : `licence ${license}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
