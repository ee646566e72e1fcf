import { useState } from "react";
import { useCommand } from "../../api/commands";
import { bytes } from "../../format";
import { Icon } from "../../icons";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { State, useTopicSource } from "../../state";
import { Badge, Button } from "../../ui";
import { linkCopy } from "./commands";
import { DeleteDialog, NeededList } from "./DeleteDialog";
import { describedFacts, Facts, Links, otherFacts } from "./Facts";
import type { ModelFile } from "./data";

/** One file: what it is, who needs it, where it came from. */
export default function FileDrawer({ path, onClose }: { path: string; onClose: () => void }) {
  const source = useTopicSource("models");
  const file = source.data?.models[path];
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (
    <Drawer title={name} about={path} onClose={onClose}>
      <State of={source} what="the file" lines={5}>
        {() => (file ? <Details file={file} onClose={onClose} /> : <p className="muted">There is no such file now. It may have been deleted or moved.</p>)}
      </State>
    </Drawer>
  );
}

function Details({ file, onClose }: { file: ModelFile; onClose: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const { needed_by, duplicates, source, metadata = {}, whole, sha256, restorable } = file;
  const page = source?.repo && source.url.startsWith("https://huggingface.co/") ? `https://huggingface.co/${source.repo}` : undefined;
  return (
    <>
      {whole === false && <p className="note warn">Its header promises more bytes than there are: it is cut off and will not load. Download it again.</p>}
      <section>
        <h3>Needed by</h3>
        {needed_by.length === 0 ? <p className="muted">Nothing that is installed or scanned here needs it.</p> : <NeededList of={needed_by} />}
      </section>
      {duplicates && duplicates.length > 0 && <Duplicates file={file} paths={duplicates} />}
      <section>
        <h3>About</h3>
        <Facts
          of={[
            ["Size", bytes(file.size_bytes)],
            ["Changed", new Date(file.modified_at).toLocaleString()],
            ["Last used", file.last_used_at ? new Date(file.last_used_at).toLocaleString() : undefined],
            ["Format", file.format],
            ["Folder", file.folder || undefined],
            ["Volume", file.volume ?? undefined],
            ...describedFacts({ family: file.family ?? null, ...metadata }),
          ]}
        />
      </section>
      <section>
        <h3>Where from</h3>
        {source ? (
          <>
            <p className="path">{source.url}</p>
            <Links of={page ? { huggingface: page } : {}} />
          </>
        ) : (
          <p className="muted">Nobody told. It was here before, or was put here by hand.</p>
        )}
        <p className="muted">{restorable ? "Once deleted, it can be had again, the same bytes." : "Once deleted, it cannot be had again from here."}</p>
      </section>
      <section>
        <h3>Content</h3>
        <p className="line">
          <Verified of={file} />
        </p>
        {sha256 && <p className="path hash">{sha256}</p>}
      </section>
      <More metadata={metadata ?? {}} />
      <DrawerFoot>
        <Button icon="trash" onClick={() => setDeleting(true)}>
          Delete…
        </Button>
      </DrawerFoot>
      {deleting && <DeleteDialog files={[file]} onClose={() => setDeleting(false)} onDeleted={onClose} />}
    </>
  );
}

/** How sure it is that these are the right bytes. */
function Verified({ of: { verified, sha256, source } }: { of: ModelFile }) {
  const hash = sha256 ? "" : " Its own hash is reckoned in the background.";
  switch (verified) {
    case "sha256":
      return (
        <>
          <Badge tone="ok">Verified</Badge>
          <span className="muted">Its SHA-256 is the one that its source stated.</span>
        </>
      );
    case "header":
    case "size":
      return (
        <>
          <Badge tone="warn">Unverified</Badge>
          <span className="muted">{`Its source stated no hash, so only ${verified === "header" ? "its header and size" : "its size"} could be checked.${hash}`}</span>
        </>
      );
    default:
      return <span className="muted">{source ? `It is known where these bytes can be had.${hash}` : `Not fetched from here, so nobody stated what it should be.${hash}`}</span>;
  }
}

function More({ metadata }: { metadata: Readonly<Record<string, unknown>> }) {
  const facts = otherFacts(metadata);
  if (facts.length === 0) return null;
  return (
    <details className="folded-section">
      <summary>
        <Icon name="chevronRight" />
        What else its header says ({facts.length})
      </summary>
      <Facts of={facts} />
    </details>
  );
}

function Duplicates({ file, paths }: { file: ModelFile; paths: readonly string[] }) {
  const { run, pending } = useCommand("link");
  return (
    <section>
      <h3>The same content is also here</h3>
      <ul className="copies">
        {paths.map((other) => (
          <li key={other}>
            <span className="path">{other}</span>
            <Button icon="link" label={`Store once: make ${other} a second name of this file`} disabled={pending} onClick={() => run(linkCopy(other, file.path))}>
              Store once
            </Button>
          </li>
        ))}
      </ul>
      <p className="muted">
        “Store once” keeps this file and makes the other path a second name of it. Both paths go on working. <Badge tone="info">frees {bytes(file.size_bytes)}</Badge>
      </p>
    </section>
  );
}
