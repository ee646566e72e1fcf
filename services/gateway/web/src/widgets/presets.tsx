import { lazy, Suspense } from "react";
import type { Widget } from "../board/registry";
import { Loading, Section } from "../ui";

const PresetList = lazy(() => import("../presets/PresetList"));

function Presets() {
  return (
    <Suspense
      fallback={
        <Section id="presets" title="Presets">
          <Loading what="presets" lines={6} />
        </Section>
      }
    >
      <PresetList />
    </Suspense>
  );
}

export default { id: "presets", title: "Presets", order: 90, w: 4, h: 2, topics: ["presets"], component: Presets } satisfies Widget;
