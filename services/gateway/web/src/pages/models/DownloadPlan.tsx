import { sourceOf, State } from "../../state";
import { DrawerFoot } from "../../parts/Drawer";
import { Button, Loading } from "../../ui";
import { usePlan, type NewDownload } from "./data";
import { Space } from "./Space";
import { obstacle, useStart } from "./useStart";

interface DownloadPlanProps {
  files: readonly NewDownload[];
  name: string;
  label: string;
  /** Why there is nothing to start. */
  note?: string | undefined;
  onClose: () => void;
}

/** What the chosen files take of the disk, and the button that queues them; nothing is fetched before. */
export function DownloadPlan({ files, name, label, note, onClose }: DownloadPlanProps) {
  const plan = usePlan(files);
  const { start, starting, refusal } = useStart();
  const reason = plan.data && obstacle(plan.data);
  const queued = plan.data !== undefined && plan.data.files.every(({ action }) => action === "queued" || action === "present");
  const off = files.length === 0 || note !== undefined || reason !== undefined || queued || starting;
  return (
    <>
      {files.length > 0 && !note && (
        <section>
          <h3>Space</h3>
          {plan.isPending ? (
            <Loading what="the plan" lines={2} />
          ) : (
            <State of={sourceOf(plan)} what="the plan">
              {(found) => <Space plan={found} />}
            </State>
          )}
        </section>
      )}
      {note && <p className="muted">{note}</p>}
      <DrawerFoot>
        {refusal && (
          <p className="reason" role="alert">
            {refusal}
          </p>
        )}
        <Button onClick={onClose}>Cancel</Button>
        <Button icon="download" kind="primary" busy={starting} disabled={off} onClick={() => start(files, name)}>
          {label}
        </Button>
      </DrawerFoot>
    </>
  );
}
