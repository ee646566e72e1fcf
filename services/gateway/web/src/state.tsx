import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { TopicName, Topics } from "./api/types";
import { useConnection, useLiveContext, useTopic } from "./api/useLive";
import type { IconName } from "./icons";
import { Button, Empty, Failure, Loading } from "./ui";

/** Where a section's data comes from: nothing yet, something, or the reason why not; `at` is when it was received. */
export interface Source<T> {
  data: T | undefined;
  at: number | undefined;
  error: string | undefined;
  retry: () => void;
}

export function useTopicSource<K extends TopicName>(name: K): Source<Topics[K]> {
  const held = useTopic(name);
  const { trouble } = useConnection();
  const { connection } = useLiveContext();
  // The last state stays in sight during an outage; its section says that it is old.
  const error = trouble && !held ? "The gateway cannot be reached." : undefined;
  return { data: held?.data, at: held?.at, error, retry: connection.retry };
}

export function sourceOf<T>({ data, dataUpdatedAt, error, refetch }: UseQueryResult<T>): Source<T> {
  return { data, at: dataUpdatedAt || undefined, error: error?.message, retry: () => void refetch() };
}

interface StateProps<T> {
  of: Source<T>;
  /** Goes on "Loading …" and "… could not be loaded". */
  what: string;
  lines?: number;
  /** When there is nothing to show: what to say instead. */
  empty?: { when: (data: T) => boolean; icon: IconName; say: ReactNode };
  children: (data: T) => ReactNode;
}

/** A section's states: loading, failed with Retry, empty, and its content; old content is marked by the section. */
export function State<T>({ of: { data, error, retry }, what, lines, empty, children }: StateProps<T>) {
  if (data === undefined) {
    if (error === undefined) return <Loading what={what} {...(lines ? { lines } : {})} />;
    return <Failure onRetry={retry}>{`${capital(what)} could not be loaded: ${error}`}</Failure>;
  }
  return (
    <>
      {error !== undefined && (
        <div className="note warn" role="alert">
          <p>This is older: {error}</p>
          <Button onClick={retry}>Try again</Button>
        </div>
      )}
      {empty?.when(data) ? <Empty icon={empty.icon}>{empty.say}</Empty> : children(data)}
    </>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
