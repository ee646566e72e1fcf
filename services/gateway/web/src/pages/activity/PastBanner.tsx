import { Badge, Button } from "../../ui";
import { typeInWords } from "./moments";
import { useMarks, usePlace } from "./usePast";

/** Says, in sight wherever one scrolls, that what is shown is over. */
export function PastBanner({ at, onBack }: { at: number; onBack: () => void }) {
  const { data } = usePlace(at);
  const told = useMarks().data?.find(({ seq }) => seq === at)?.says;
  return (
    <div className="past-banner">
      <p role="status">
        <Badge tone="warn">Past</Badge>
        <span>
          You see how it was{" "}
          {data ? (
            <>
              on <time dateTime={data.time}>{new Date(data.time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })}</time>
              <span className="muted"> · {told ?? typeInWords(data.type)}</span>
            </>
          ) : (
            `at position ${at}`
          )}
        </span>
      </p>
      <Button kind="primary" icon="reset" onClick={onBack}>
        Back to now
      </Button>
    </div>
  );
}
