import type { ReactNode } from "react";
import { bytes, compact } from "../../format";
import { Icon } from "../../icons";
import type { Metadata, Repository } from "./data";

interface BadgesProps {
  of: Pick<Metadata, "likes" | "downloads" | "license" | "model_family">;
  /** The downloads are those of the last day. */
  today?: boolean;
  /** What else is said in the same line. */
  children?: ReactNode;
}

/** What a hub counts of a model, and under which licence it is: the same on cards, in previews and in drawers. */
export function RepositoryBadges({ of: { likes, downloads, license, model_family }, today = false, children }: BadgesProps) {
  return (
    <span className="repo-badges">
      {model_family && <span>{model_family}</span>}
      {likes != null && (
        <span>
          <Icon name="heart" />
          {compact(likes)}
          <span className="sr"> likes</span>
        </span>
      )}
      {downloads != null && (
        <span>
          <Icon name="download" />
          {compact(downloads)}
          {today && " today"}
          <span className="sr"> downloads</span>
        </span>
      )}
      {license && (
        <span>
          <span className="sr">licence </span>
          {license}
        </span>
      )}
      {children && <span>{children}</span>}
    </span>
  );
}

/** Tags of a repository; its licence has a place of its own. */
export function Tags({ of, most = 8 }: { of: readonly string[]; most?: number }) {
  const tags = of.filter((tag) => !tag.startsWith("license:"));
  if (tags.length === 0) return null;
  return (
    <ul className="tags" aria-label="Tags">
      {tags.slice(0, most).map((tag) => (
        <li key={tag}>{tag}</li>
      ))}
      {tags.length > most && <li>{`${tags.length - most} more`}</li>}
    </ul>
  );
}

/** How many of a repository's variants are here, and what they take. */
export function presence({ local, variants, left_out }: Repository): string {
  const here = local ? variants : variants.filter(({ status }) => status === "downloaded");
  const size = here.reduce((sum, { size_bytes }) => sum + (size_bytes ?? 0), 0);
  const count = variants.length + (left_out ?? 0);
  const said = local ? `${here.length} ${here.length === 1 ? "file" : "files"} of no hub` : `${here.length} of ${count} here`;
  return here.length > 0 ? `${said}, ${bytes(size)}` : said;
}
