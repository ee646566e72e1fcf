import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { percent } from "../../format";
import { readingsAt } from "./moments";

const HOUR_MS = 3_600_000;

/** What the machines were busy with; their readings are kept for an hour. */
export function PastMachines({ time }: { time: number }) {
  const kept = Date.now() - time < HOUR_MS;
  const read = useQuery({
    queryKey: ["resources", "past"],
    queryFn: () => answer(api.GET("/api/v1/system/resources/history", { params: { query: { minutes: 60 } } })),
    enabled: kept,
    staleTime: 30_000,
    retry: 1,
  });
  const readings = read.data && readingsAt(read.data.hosts ?? {}, time);
  return (
    <section>
      <h3>Machines</h3>
      {!kept && <p className="none">Readings of the machines are kept for an hour; this moment is older.</p>}
      {kept && read.error && <p className="reason">{read.error.message}</p>}
      {kept && read.data && !readings && <p className="none">No machine was read at that moment.</p>}
      {readings && (
        <ul className="rows">
          {readings.map(({ host, cpu, memory, disk }) => (
            <li key={host}>
              <span className="name">{host}</span>
              <span className="muted">
                {[cpu != null && `CPU ${percent(cpu)}`, memory != null && `memory ${percent(memory)}`, disk != null && `disk ${percent(disk)}`].filter(Boolean).join(" · ")}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
