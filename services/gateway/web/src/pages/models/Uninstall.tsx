import { useCommand } from "../../api/commands";
import type { Preset } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { uninstall } from "./commands";

/** Says what stays before anything goes. */
export default function Uninstall({ preset, onClose }: { preset: Preset; onClose: () => void }) {
  const { run } = useCommand("uninstall");
  return (
    <Confirm title={`Uninstall ${preset.name}?`} action="Uninstall" onConfirm={() => run(uninstall(preset))} onClose={onClose}>
      <p>Its files are deleted, except those that another installed preset or a workflow needs: those stay.</p>
      <p className="muted">Installing it again fetches the same bytes and verifies them.</p>
    </Confirm>
  );
}
