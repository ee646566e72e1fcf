import { fileName } from "../../format";
import type { Installation } from "./asked";
import { files } from "./templates";

interface OutcomeProps {
  of: Installation;
  /** All is there or on its way, and said elsewhere; what was not installed then came by another way. */
  isOver?: boolean;
}

/** What became of an installation: said where it was asked for. */
export function Outcome({ of: { status, queued, linked, unresolved }, isOver = false }: OutcomeProps) {
  const coming = isOver ? 0 : queued.filter((file) => file.status !== "installed").length;
  const parts = [
    coming > 0 && `${files(coming)} ${coming === 1 ? "is" : "are"} in the download queue`,
    linked.length > 0 && `${files(linked.length)} ${linked.length === 1 ? "is" : "are"} linked`,
  ].filter(Boolean);
  const said = parts.length > 0 ? `${parts.join(", ")}.` : status === "compatible" ? "All of it is there now." : "";
  return (
    <div role="status">
      {said && <p className="note good">{said}</p>}
      {unresolved.length > 0 && !isOver && (
        <div className="note warn">
          <p>Not installed:</p>
          <ul>
            {unresolved.map(({ path, message }) => (
              <li key={path}>
                <strong>{fileName(path)}</strong>: {message}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
