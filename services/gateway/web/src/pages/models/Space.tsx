import { bytes } from "../../format";
import { Badge } from "../../ui";
import type { Plan } from "./data";

/** What a plan means for each volume: whether it fits, and what is left then. */
export function Space({ plan: { volumes, files } }: { plan: Plan }) {
  const here = files.filter(({ action }) => action === "present").length;
  const queued = files.filter(({ action }) => action === "queued").length;
  const unknown = files.filter(({ action, size_bytes }) => action === "download" && size_bytes == null).length;
  const conflicts = files.filter(({ conflict }) => conflict);
  return (
    <div className="space">
      {volumes.map(({ path, needed_bytes, free_bytes, reserved_bytes, shared_bytes, present_bytes, fits }) => {
        const whole = Math.max(free_bytes, needed_bytes + reserved_bytes, 1);
        const share = (part: number) => `${(100 * part) / whole}%`;
        return (
          <div key={path} className={fits ? undefined : "full"}>
            <div className="line">
              <strong>{unknown > 0 && needed_bytes === 0 ? "Size unknown" : bytes(needed_bytes)}</strong>
              <span className="muted">
                {unknown === 0 ? `needed of ${bytes(free_bytes)} free` : needed_bytes > 0 ? `or more, of ${bytes(free_bytes)} free` : `until it begins; ${bytes(free_bytes)} free`}
              </span>
              <span className="end">{fits && unknown > 0 ? null : fits ? <Badge tone="ok">Fits</Badge> : <Badge tone="bad">Too little space</Badge>}</span>
            </div>
            <div className="parts" aria-hidden="true">
              <i className="part-other" style={{ width: share(reserved_bytes) }} />
              <i className="part-own" style={{ width: share(needed_bytes) }} />
            </div>
            <p className="muted small">
              {[
                path,
                reserved_bytes > 0 && `${bytes(reserved_bytes)} reserved by the queue`,
                present_bytes > 0 && `${bytes(present_bytes)} there already`,
                shared_bytes > 0 && `${bytes(shared_bytes)} shared with other files`,
                fits && unknown === 0 && `${bytes(Math.max(0, free_bytes - reserved_bytes - needed_bytes))} left then`,
              ]
                .filter(Boolean)
                .join(" · ")}
            </p>
          </div>
        );
      })}
      {volumes.length === 0 && <p className="muted">{here > 0 ? "It is there already." : "Nothing has to be fetched."}</p>}
      {queued > 0 && <p className="muted">{queued === 1 ? "It is in the queue already." : `${queued} files are in the queue already.`}</p>}
      {conflicts.map(({ path, conflict }) => (
        <p key={path} className="reason">
          {conflict}
        </p>
      ))}
    </div>
  );
}
