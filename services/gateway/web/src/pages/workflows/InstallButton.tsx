import { bytes } from "../../format";
import { Button } from "../../ui";
import { sizeOf } from "./Planned";
import { files } from "./templates";
import type { Installing } from "./useInstall";

/** The one button that installs what is missing, and beside it why it does not. */
export function InstallButton({ of: { todo, choices, install, hashing, plan } }: { of: Installing }) {
  return (
    <>
      {install.error && (
        <p className="reason" role="alert">
          {install.error.message}
        </p>
      )}
      <Hashing paths={hashing} />
      <Button
        id="install-missing"
        kind="primary"
        icon="download"
        busy={install.isPending || plan.isPending}
        disabled={todo.length === 0 || install.isPending}
        onClick={() => install.mutate()}
      >
        {label(todo.map((file) => sizeOf(file, choices[file.path])))}
      </Button>
    </>
  );
}

function label(sizes: readonly (number | undefined)[]): string {
  if (sizes.length === 0) return "Install";
  const known = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const more = sizes.includes(undefined) ? " and more" : "";
  return `Install ${files(sizes.length)}${known > 0 ? ` · ${bytes(known)}${more}` : ""}`;
}

/** Said while hashes of files are being computed that a lock file needs. */
export function Hashing({ paths }: { paths: readonly string[] }) {
  return (
    <p className="muted hashing" role="status">
      {paths.length > 0 && `Hashing ${files(paths.length)}…`}
    </p>
  );
}
