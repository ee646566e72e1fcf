import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTopic } from "../../api/useLive";
import { Drawer } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Button, Empty } from "../../ui";
import { lockOfWorkflow, ofWorkflow, scan } from "./asked";
import { Details } from "./Details";
import { LockDrawer } from "./LockDrawer";
import type { Opened, OpenedWorkflow } from "./opened";

/** What an opened file is: a workflow is scanned and not stored, a lock file is planned. */
export function FileDrawer({ opened, onClose }: { opened: Opened; onClose: () => void }) {
  switch (opened.kind) {
    case "refused":
      return (
        <Drawer title={opened.name} about="This file cannot be used" onClose={onClose}>
          <Empty icon="warning">{opened.reason}</Empty>
        </Drawer>
      );
    case "workflow":
      return <WorkflowFile opened={opened} onClose={onClose} />;
    case "lock":
      return <LockDrawer opened={opened} onClose={onClose} />;
  }
}

/** What an unstored workflow needs; asked again when a file has come or gone. */
export function useScan({ id, content }: { id: string; content: object }, enabled = true) {
  const stats = useTopic("stats")?.data;
  return useQuery({
    queryKey: ["scan", id, stats?.modelsInstalled, stats?.storageUsed],
    queryFn: () => scan(content),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    retry: false,
    enabled,
  });
}

function WorkflowFile({ opened, onClose }: { opened: OpenedWorkflow; onClose: () => void }) {
  const { id, name, content } = opened;
  const scanned = useScan(opened);
  const how = useMemo(() => ofWorkflow(id, content), [id, content]);
  return (
    <Drawer title={name} about="Scanned just now; the file itself is not stored" onClose={onClose}>
      <State of={sourceOf(scanned)} what="what it needs" lines={4}>
        {(found) => (
          <Details of={found} how={how} lock={(wait) => lockOfWorkflow(opened, wait)} onInstalled={() => void scanned.refetch()}>
            <Button icon="refresh" busy={scanned.isFetching} onClick={() => void scanned.refetch()}>
              Scan again
            </Button>
          </Details>
        )}
      </State>
    </Drawer>
  );
}
