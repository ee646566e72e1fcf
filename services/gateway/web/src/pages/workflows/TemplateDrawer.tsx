import { useMemo } from "react";
import { useNow } from "../../api/useLive";
import { ago, bytes } from "../../format";
import { Drawer } from "../../parts/Drawer";
import { lockOfTemplate, ofTemplate } from "./asked";
import { Details } from "./Details";
import type { Template } from "./templates";

/** A template's details, live. */
export function TemplateDrawer({ template, eager, onClose }: { template: Template; eager: boolean; onClose: () => void }) {
  const now = useNow(60_000);
  const { id, name, format, size_bytes, modified_at } = template;
  const how = useMemo(() => ofTemplate(id), [id]);
  return (
    <Drawer title={name} about={`${id} · ${bytes(size_bytes)} · changed ${ago(modified_at, now)}${format === "prompt" ? " · API format" : ""}`} onClose={onClose}>
      <Details of={template} how={how} eager={eager} lock={(wait) => lockOfTemplate(template, wait)} />
    </Drawer>
  );
}
