import { useCallback, useMemo, useState } from "react";
import { navigate, useQueryString } from "../router";
import { PageHead } from "../shell/PageHead";
import { State, useTopicSource } from "../state";
import { Drawer } from "../parts/Drawer";
import { Empty, Section } from "../ui";
import { Dropping } from "./workflows/Dropping";
import { FileDrawer } from "./workflows/FileDrawer";
import { open, type Opened } from "./workflows/opened";
import { TemplateDrawer } from "./workflows/TemplateDrawer";
import { TemplateList } from "./workflows/TemplateList";
import "./workflows/workflows.css";

const show = (id: string) => navigate(`/workflows?template=${encodeURIComponent(id)}`);

/** Templates with what each needs and misses; a workflow or lock file can be dropped anywhere. */
export default function Workflows() {
  const source = useTopicSource("templates");
  const wanted = useQueryString().get("template");
  const [opened, setOpened] = useState<Opened>();
  const onFile = useCallback((file: File) => void open(file).then(setOpened), []);
  const back = () => navigate("/workflows", { replace: true });
  const template = wanted === null ? undefined : source.data?.templates[wanted];
  const count = useMemo(() => source.data && `${source.data.compatible} of ${source.data.total} ready`, [source.data]);
  return (
    <>
      <PageHead title="Workflows" about="What each template needs, and what is missing for it. Drop a file anywhere to scan it.">
        <Dropping onFile={onFile} />
      </PageHead>
      <Section id="templates" title="Templates" count={count} at={source.at}>
        <State
          of={source}
          what="templates"
          lines={8}
          empty={{
            when: ({ total, skipped }) => total === 0 && Object.keys(skipped).length === 0,
            icon: "workflows",
            say: "There are no templates yet. Workflows in the template folders appear here by themselves; or drop one on this page.",
          }}
        >
          {(topic) => <TemplateList topic={topic} onOpen={show} />}
        </State>
      </Section>
      {template && <TemplateDrawer key={template.id} template={template} onClose={back} />}
      {wanted !== null && source.data && !template && (
        <Drawer title="There is no such template" onClose={back}>
          <Empty icon="search">{source.data.skipped[wanted]?.message ?? `${wanted} is not there, or not any more.`}</Empty>
        </Drawer>
      )}
      {opened && <FileDrawer key={opened.id} opened={opened} onClose={() => setOpened(undefined)} />}
    </>
  );
}
