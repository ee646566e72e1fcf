import { bytes } from "../../format";
import { Icon } from "../../icons";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, Button } from "../../ui";
import { useDetails, useRepositories, type Variant } from "./data";
import { describedFacts, Facts, Folded, Links, variantFacts } from "./Facts";
import { RepositoryBadges, Tags } from "./RepositoryHead";
import { partCount, STATUS_NAMES, variantName } from "./variants";
import "./hubs.css";

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
    <Drawer title={repo} about={details.data && <RepositoryBadges of={details.data} />} onClose={onClose}>
      <State of={sourceOf(details)} what="the repository" lines={5}>
        {(data) => (
          <>
            {data.description && (
              <section>
                <h3>Description</h3>
                <Folded>{data.description}</Folded>
              </section>
            )}
            <Tags of={data.tags} most={30} />
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
                <VariantDetails variant={variant} />
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

function VariantDetails({ variant }: { variant: Variant }) {
  const { status, path, size_bytes } = variant;
  const parts = partCount(variant);
  return (
    <details>
      <summary>
        <Icon name="chevronRight" />
        <span className="name">{variantName(variant)}</span>
        <span className="muted">{[parts > 1 && `${parts} parts`, size_bytes != null && bytes(size_bytes)].filter(Boolean).join(" · ")}</span>
        <Badge tone={status === "downloaded" ? "ok" : status === "downloading" ? "info" : "idle"}>{STATUS_NAMES[status]}</Badge>
      </summary>
      <Facts of={variantFacts(variant)} />
      {status === "downloaded" && path && (
        <p>
          <a href={`/models?file=${encodeURIComponent(path)}`}>Who needs it, and where it came from</a>
        </p>
      )}
    </details>
  );
}
