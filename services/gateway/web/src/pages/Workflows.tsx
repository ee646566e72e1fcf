import { useCallback, useState } from "react";
import { PageHead } from "../shell/PageHead";
import { State, useTopicSource } from "../state";
import { Drawer } from "../parts/Drawer";
import { Empty, Section } from "../ui";
import { go, usePlace } from "./workflows/address";
import { Dropped } from "./workflows/Dropped";
import { Dropping } from "./workflows/Dropping";
import { open, type Opened } from "./workflows/opened";
import { TemplateDrawer } from "./workflows/TemplateDrawer";
import { TemplateList } from "./workflows/TemplateList";
import "./workflows/workflows.css";

function close(id: string): void {
  go({ template: null });
  // The button that opened it may be gone, as what was missing is there now: then its row takes the focus back.
  requestAnimationFrame(() => {
    if (document.activeElement?.closest("#templates, dialog")) return;
    const row = document.querySelector<HTMLElement>(`[data-template="${CSS.escape(id)}"]`) ?? document.getElementById("template-search");
    row?.focus({ preventScroll: true });
  });
}

/** Templates with what each needs and misses; workflow and lock files can be dropped anywhere. */
export default function Workflows() {
  const source = useTopicSource("templates");
  const { template: wanted } = usePlace();
  const [toInstall, setToInstall] = useState(false);
  const [opened, setOpened] = useState<readonly Opened[]>([]);
  const onFiles = useCallback((files: File[]) => void Promise.all(files.map(open)).then(setOpened), []);
  const onOpen = useCallback((template: string, install: boolean) => {
    setToInstall(install);
    go({ template });
  }, []);
  const template = wanted === null ? undefined : source.data?.templates[wanted];
  return (
    <>
      <PageHead title="Workflows" about="What each template needs, and what is missing for it. Drop a file anywhere to scan it.">
        <Dropping onFiles={onFiles} />
      </PageHead>
      <Section id="templates" title="Templates" count={source.data && `${source.data.compatible} of ${source.data.total} ready`} at={source.at}>
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
          {(topic) => <TemplateList topic={topic} onOpen={onOpen} />}
        </State>
      </Section>
      {template && <TemplateDrawer key={template.id} template={template} eager={toInstall} onClose={() => close(template.id)} />}
      {wanted !== null && source.data && !template && (
        <Drawer title="There is no such template" onClose={() => close(wanted)}>
          <Empty icon="search">{source.data.skipped[wanted]?.message ?? `${wanted} is not there, or not any more.`}</Empty>
        </Drawer>
      )}
      {opened.length > 0 && <Dropped key={opened.map(({ id }) => id).join()} files={opened} onClose={() => setOpened([])} />}
    </>
  );
}
