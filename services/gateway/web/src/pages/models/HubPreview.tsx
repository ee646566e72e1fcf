import { useId, useMemo, useState } from "react";
import { ApiError } from "../../api/client";
import { bytes } from "../../format";
import { Icon } from "../../icons";
import { sourceOf, State } from "../../state";
import { Badge, Button } from "../../ui";
import { usePreview, type Preview, type Variant } from "./data";
import { DownloadPlan } from "./DownloadPlan";
import { Folded, Links } from "./Facts";
import { RepositoryBadges, Tags } from "./RepositoryHead";
import { useStart } from "./useStart";
import { hubPage, ordered, partCount, precision, STATUS_NAMES, toDownload, variantName } from "./variants";

interface HubPreviewProps {
  text: string;
  onClose: () => void;
}

/** What a hub has under a name or link: the repository, its variants, which one suits this machine, and the way to it. */
export function HubPreview({ text, onClose }: HubPreviewProps) {
  const preview = usePreview(text);
  const found = preview.data;
  if (preview.error instanceof ApiError) return <Refusal error={preview.error} onRetry={() => void preview.refetch()} />;
  return (
    <>
      <p className="sr" role="status">
        {found && `${found.repo}: ${found.variants.length} to choose from`}
      </p>
      <State of={sourceOf(preview)} what="the repository" lines={6}>
        {(data) => <Choosing preview={data} onClose={onClose} />}
      </State>
    </>
  );
}

/** What the hub's refusals mean for the person (R-194: errors inline). */
const REFUSALS: Readonly<Record<string, readonly [title: string, advice?: string]>> = {
  gated: ["Its terms are not accepted yet", "Accept its terms on the hub with the account whose token Modeldeck has, then look again."],
  forbidden: ["No access", "The account whose token Modeldeck has may not see it."],
  hub_unauthorized: ["The hub wants a token", "Set HF_TOKEN or CIVITAI_TOKEN where Modeldeck runs, or a valid one, then look again."],
  repository_not_found: ["There is no such model", "Check the spelling: upper and lower case count. A private one is found only with its owner's token."],
  revision_not_found: ["There is no such version", "Leave the version out to see the newest."],
  entry_not_found: ["There is no such file", "Give the name of the repository alone to see what it has."],
  bad_link: ["This leads to no model"],
  hub_unreachable: ["The hub cannot be reached", "Files that are here already can be used meanwhile."],
  rate_limited: ["The hub asks to slow down"],
  bad_answer: ["The hub's answer makes no sense", "It may be something else than a hub, or in trouble."],
};

function Refusal({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  const [title, advice] = REFUSALS[error.code] ?? ["It could not be looked at"];
  return (
    <div className="refused" role="alert">
      <Icon name="warning" />
      <div>
        <strong>{title}</strong>
        <p className="reason">{error.message}</p>
        {advice && <p className="muted">{advice}</p>}
        <Button icon="refresh" onClick={onRetry}>
          Look again
        </Button>
      </div>
    </div>
  );
}

function Choosing({ preview, onClose }: { preview: Preview; onClose: () => void }) {
  const { recommended, selected } = preview;
  const variants = useMemo(() => ordered(preview.variants, { column: "size", descending: false }), [preview.variants]);
  const [chosen, setChosen] = useState(() => selected ?? recommended?.filename ?? variants[0]?.filename ?? "");
  const best = variants.find(({ filename }) => filename === recommended?.filename);
  const variant = variants.find(({ filename }) => filename === chosen);
  const here = variant?.status === "downloaded" && !variant.outdated;
  const files = useMemo(() => (variant && !here ? toDownload(preview, variant) : []), [preview, variant, here]);
  return (
    <>
      <About preview={preview} />
      {best && recommended && <Recommended preview={preview} variant={best} reason={recommended.reason} />}
      {variants.length === 0 ? <p className="note warn">There is no model file in it.</p> : <Choices preview={preview} variants={variants} chosen={chosen} onChoose={setChosen} />}
      <DownloadPlan
        key={chosen}
        files={files}
        name={variant ? variantName(variant) : ""}
        label={files.length > 1 ? `Download all ${files.length} parts` : "Download selected"}
        note={here ? "The chosen variant is here already." : variant?.status === "downloading" ? "The chosen variant is on its way already." : undefined}
        onClose={onClose}
      />
    </>
  );
}

function About({ preview }: { preview: Preview }) {
  const { repo, stale, gated, description, tags, links } = preview;
  return (
    <section className="preview">
      <h3 className="name">{repo}</h3>
      <RepositoryBadges of={preview.metadata} />
      {stale && <p className="note warn">{`${stale}. This is what it said last.`}</p>}
      {gated && <Gated how={gated} page={hubPage(preview)} />}
      {description && <Folded>{description}</Folded>}
      <Tags of={tags} />
      <Links of={links} />
    </section>
  );
}

/** What to do about a repository whose owner wants something first. */
function Gated({ how, page }: { how: string; page: string | undefined }) {
  return (
    <div className="note warn gated">
      <strong>Gated: its owner wants people to accept terms first.</strong>
      <ol>
        <li>
          {page ? (
            <a href={page} target="_blank" rel="noreferrer">
              Accept them on its page<span className="sr"> (in a new tab)</span>
            </a>
          ) : (
            "Accept them on its page"
          )}
          {how === "manual" ? "; the owner decides on each request." : "."}
        </li>
        <li>Set HF_TOKEN, a token of that account, where Modeldeck runs.</li>
        <li>Download. Without the first two, the hub refuses it.</li>
      </ol>
    </div>
  );
}

interface RecommendedProps {
  preview: Preview;
  variant: Variant;
  reason: string;
}

/** The variant that suits this machine and why; one press queues it. */
function Recommended({ preview, variant, reason }: RecommendedProps) {
  const { start, starting, refusal } = useStart();
  const parts = partCount(variant);
  const name = variantName(variant);
  const known = [precision(variant) ?? name, variant.size_bytes == null ? undefined : bytes(variant.size_bytes), parts > 1 && `${parts} parts`];
  const offered = variant.status === "available" || (variant.status === "downloaded" && variant.outdated);
  return (
    <section className="quick" aria-label="Recommended for this machine">
      <div>
        <Badge tone="ok">Recommended for this machine</Badge>
        <strong>{known.filter(Boolean).join(" · ")}</strong>
        <p className="muted">{reason}</p>
        {refusal && (
          <p className="reason" role="alert">
            {refusal}
          </p>
        )}
      </div>
      {offered ? (
        <Button icon="download" busy={starting} disabled={starting} label={`Quick download: ${name}`} onClick={() => start(toDownload(preview, variant), name)}>
          Quick download
        </Button>
      ) : (
        <Badge tone={variant.status === "downloaded" ? "ok" : "info"}>{variant.status === "downloaded" ? "Here" : STATUS_NAMES[variant.status]}</Badge>
      )}
    </section>
  );
}

/** More variants than a person wants to read through at once. */
const MANY = 8;

interface ChoicesProps {
  preview: Preview;
  /** All of them, in order. */
  variants: readonly Variant[];
  chosen: string;
  onChoose: (filename: string) => void;
}

function Choices({ preview: { recommended, left_out }, variants, chosen, onChoose }: ChoicesProps) {
  const [all, setAll] = useState(false);
  const group = useId();
  const always = [chosen, recommended?.filename];
  const shown = all ? variants : variants.filter(({ filename }, index) => index < MANY || always.includes(filename));
  return (
    <fieldset className="choose">
      <legend>{variants.length === 1 ? "Its one variant" : `Variant (${variants.length} to choose from)`}</legend>
      {shown.map((option) => (
        <label key={option.filename}>
          <input type="radio" name={group} checked={option.filename === chosen} onChange={() => onChoose(option.filename)} />
          <Option of={option} best={option.filename === recommended?.filename} />
        </label>
      ))}
      {shown.length < variants.length && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          Show all {variants.length} variants
        </Button>
      )}
      {left_out ? <p className="muted">{`The hub has ${left_out} more; paste the link of a file to have one of them.`}</p> : null}
    </fieldset>
  );
}

function Option({ of, best }: { of: Variant; best: boolean }) {
  const { size_bytes, status, role } = of;
  const parts = partCount(of);
  const facts = [precision(of), parts > 1 && `${parts} parts, queued together`, role].filter(Boolean).join(" · ");
  return (
    <span className="option">
      <span className="line">
        <span className="name">{variantName(of)}</span>
        <span className="end">{size_bytes == null ? "size unknown" : bytes(size_bytes)}</span>
      </span>
      {(best || facts || status !== "available") && (
        <span className="line">
          {best && <Badge tone="ok">Recommended</Badge>}
          {status !== "available" && <Badge tone={status === "downloaded" ? "ok" : "info"}>{status === "downloaded" ? "Here" : STATUS_NAMES[status]}</Badge>}
          <span className="muted">{facts}</span>
        </span>
      )}
    </span>
  );
}
