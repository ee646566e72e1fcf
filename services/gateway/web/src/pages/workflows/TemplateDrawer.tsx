import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { useNow } from "../../api/useLive";
import { ago, bytes } from "../../format";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { Badge, Button } from "../../ui";
import { lockOf, ofTemplate, patiently, type Installation } from "./asked";
import { FileList } from "./FileList";
import { InstallPlan } from "./InstallPlan";
import { useInFlight } from "./inFlight";
import { save } from "./opened";
import { Outcome } from "./Outcome";
import { standing, verdict } from "./standing";
import { missingFiles, type Scan, type Template } from "./templates";

/** A template's details, live: what it names, what is in its way, and how to get that. */
export function TemplateDrawer({ template, onClose }: { template: Template; onClose: () => void }) {
  const now = useNow(60_000);
  const flying = useInFlight();
  const [step, setStep] = useState<"details" | "plan">("details");
  const [outcome, setOutcome] = useState<Installation>();
  const { id, name, format, size_bytes, modified_at, references } = template;
  const lock = useMutation({
    mutationFn: () => lockOf(template),
    onSuccess: save,
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
    },
    ...patiently,
    networkMode: "always",
  });
  const waiting = missingFiles(template).filter((path) => !flying(path));
  return (
    <Drawer title={name} about={`${id} · ${bytes(size_bytes)} · changed ${ago(modified_at, now)}${format === "prompt" ? " · API format" : ""}`} onClose={onClose}>
      {step === "plan" ? (
        <InstallPlan
          of={ofTemplate(id)}
          onBack={() => setStep("details")}
          onDone={(done) => {
            setOutcome(done);
            setStep("details");
          }}
        />
      ) : (
        <>
          <Verdict of={template} />
          {outcome && !(template.compatible && outcome.unresolved.length > 0) && <Outcome of={outcome} />}
          <FileList references={references} flying={flying} />
          <DrawerFoot>
            {(lock.error ?? lock.failureReason) && (
              <p className={lock.error ? "reason" : "muted"} role={lock.error ? "alert" : "status"}>
                {(lock.error ?? lock.failureReason)?.message} {lock.isPending && "Waiting…"}
              </p>
            )}
            {template.compatible && references.length > 0 && (
              <Button icon="download" busy={lock.isPending} onClick={() => lock.mutate()}>
                Save lock file
              </Button>
            )}
            {template.missing_count > 0 && (
              <Button kind="primary" icon="download" disabled={waiting.length === 0} onClick={() => setStep("plan")}>
                {waiting.length === 0 ? "Installing…" : "Install missing…"}
              </Button>
            )}
          </DrawerFoot>
        </>
      )}
    </Drawer>
  );
}

/** How it stands, in a sentence, and what was odd about the file. */
export function Verdict({ of }: { of: Scan }) {
  const [tone, word] = standing(of);
  return (
    <section>
      <p className="verdict" role="status">
        <Badge tone={tone}>{word}</Badge>
        <span>{verdict(of)}</span>
      </p>
      {of.warnings.length > 0 && (
        <ul className="note warn">
          {of.warnings.map(({ code, message }, index) => (
            <li key={`${code} ${index}`}>{message}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
