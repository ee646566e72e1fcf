import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { Button } from "../../ui";
import type { TextFile, Wait } from "./asked";
import { Hashing } from "./InstallButton";
import { save } from "./opened";

/** Give the person the lock file, once all that it names is hashed. */
export function SaveLock({ lock }: { lock: (wait: Wait) => Promise<TextFile> }) {
  const [hashing, setHashing] = useState<readonly string[]>([]);
  const saving = useMutation({
    mutationFn: () => lock({ onWait: setHashing }),
    onSuccess: save,
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
    },
    networkMode: "always",
  });
  return (
    <>
      {saving.error && (
        <p className="reason" role="alert">
          {saving.error.message}
        </p>
      )}
      <Hashing paths={hashing} />
      <Button icon="file" busy={saving.isPending} disabled={saving.isPending} onClick={() => saving.mutate()}>
        Save lock file
      </Button>
    </>
  );
}
