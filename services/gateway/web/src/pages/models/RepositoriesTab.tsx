import { useDeferredValue, useMemo } from "react";
import { sourceOf, State } from "../../state";
import { Button, Empty, Section } from "../../ui";
import { useRepositories, type Repository, type Variant } from "./data";
import { byText, fitting, NOTHING, SIZE_NAMES, sizeClass, type Listing, type Order } from "./facets";
import { FilterBar, useChosen } from "./FilterBar";
import { Pages } from "./Pages";
import { RepositoryCard } from "./RepositoryCard";
import { isObject, KEYS, useStored } from "./stored";
import { STATUS_NAMES } from "./variants";
import "./hubs.css";

interface Item {
  repository: Repository;
  variant: Variant;
}

const LISTING: Listing<Item> = {
  facets: [
    { kind: "families", label: "Family", of: ({ repository, variant }) => [variant.metadata.family ?? repository.metadata.model_family ?? "unknown"] },
    { kind: "sizes", label: "Size", of: ({ variant }) => sizeClass(variant.size_bytes), names: SIZE_NAMES },
    { kind: "statuses", label: "Status", of: ({ variant }) => [variant.status], names: STATUS_NAMES },
  ],
  orders: [
    order("name", "name", (a, b) => Number(a.local ?? false) - Number(b.local ?? false) || byText(a.repo, b.repo)),
    order("size", "size", (a, b) => sizeOf(b) - sizeOf(a)),
    order("likes", "likes", (a, b) => (b.metadata.likes ?? -1) - (a.metadata.likes ?? -1)),
    order("downloads", "downloads", (a, b) => (b.metadata.downloads ?? -1) - (a.metadata.downloads ?? -1)),
  ],
  words: ({ repository: { repo, metadata }, variant: { filename, path } }) =>
    [repo, filename, path, metadata.model_family, metadata.license, ...metadata.tags].join("\n"),
};

function order(key: string, label: string, compare: (a: Repository, b: Repository) => number): Order<Item> {
  return { key, label, compare: (a, b) => compare(a.repository, b.repository) || byText(a.repository.repo, b.repository.repo) };
}

function sizeOf({ variants }: Repository): number {
  return variants.reduce((sum, { status, size_bytes }) => sum + (status === "downloaded" ? (size_bytes ?? 0) : 0), 0);
}

interface Group {
  repository: Repository;
  variants: Variant[];
}

function grouped(items: readonly Item[]): Group[] {
  const groups = new Map<Repository, Group>();
  for (const { repository, variant } of items) {
    const group = groups.get(repository);
    if (group) group.variants.push(variant);
    else groups.set(repository, { repository, variants: [variant] });
  }
  return [...groups.values()];
}

/** Few enough that all can lie open: so many rows. */
const FEW = 30;
const ON_A_PAGE = 12;

type Expanded = Record<string, boolean>;
const isExpanded = (value: unknown): value is Expanded => isObject(value) && Object.values(value).every((open) => typeof open === "boolean");

interface RepositoriesTabProps {
  onDetails: (repo: string) => void;
  /** Begin a download, of one repository or of any. */
  onDownload: (text?: string) => void;
}

/** What is here of the hubs' repositories, and what else they have; files of no hub by their folders. */
export default function RepositoriesTab({ onDetails, onDownload }: RepositoriesTabProps) {
  const query = useRepositories();
  const source = sourceOf(query);
  const [chosen, setChosen] = useChosen("repositories");
  const wanted = useDeferredValue(chosen);
  const [expanded, setExpanded] = useStored<Expanded>(KEYS.expanded, isExpanded, {});
  const repositories = query.data?.repositories;
  const items = useMemo(
    () => (repositories ?? []).flatMap((repository) => repository.variants.map((variant) => ({ repository, variant }))),
    [repositories],
  );
  const groups = useMemo(() => {
    const { compare } = LISTING.orders.find(({ key }) => key === wanted.sort) ?? LISTING.orders[0];
    const found = grouped(fitting(items, wanted, LISTING));
    const first = (group: Group): Item => ({ repository: group.repository, variant: group.variants[0] as Variant });
    return found.sort((a, b) => (wanted.descending ? -1 : 1) * compare(first(a), first(b)));
  }, [items, wanted]);
  const few = groups.reduce((sum, { variants }) => sum + variants.length, 0) <= FEW;
  return (
    <Section id="repositories" title="Repositories" count={repositories?.length} at={source.at}>
      <State
        of={source}
        what="repositories"
        lines={6}
        empty={{
          when: (data) => data.repositories.length === 0,
          icon: "models",
          say: (
            <>
              No model files yet. <Button onClick={() => onDownload()}>Download a model</Button>
            </>
          ),
        }}
      >
        {() => (
          <>
            <FilterBar what="repositories" items={items} listing={LISTING} chosen={chosen} onChange={setChosen} shown={groups.length} />
            {groups.length === 0 ? (
              <Empty icon="search">
                No file fits these filters. <Button onClick={() => setChosen(NOTHING)}>Clear filters</Button>
              </Empty>
            ) : (
              <Pages by={wanted} items={groups} size={ON_A_PAGE} of="repositories">
                {(shown) => (
                  <ul className="repos">
                    {shown.map(({ repository, variants }) => {
                      const { repo } = repository;
                      const open = expanded[repo] ?? few;
                      return (
                        <RepositoryCard
                          key={repo}
                          repository={repository}
                          variants={variants}
                          open={open}
                          onToggle={() => setExpanded({ ...expanded, [repo]: !open })}
                          onDetails={() => onDetails(repo)}
                          onDownload={() => onDownload(repo)}
                        />
                      );
                    })}
                  </ul>
                )}
              </Pages>
            )}
          </>
        )}
      </State>
    </Section>
  );
}
