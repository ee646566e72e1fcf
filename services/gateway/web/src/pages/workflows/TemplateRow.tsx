import { memo } from "react";
import { ago, fileName } from "../../format";
import { Badge, Button } from "../../ui";
import { standing } from "./standing";
import { files, isUnchecked, missingFiles, needed, type Template } from "./templates";

interface TemplateRowProps {
  template: Template;
  /** All that it misses is on its way. */
  coming: boolean;
  /** Say also when it was changed. */
  now: number | undefined;
  onOpen: (id: string, toInstall: boolean) => void;
}

/** One template: how it stands, and the way to its details and to what it misses. */
export const TemplateRow = memo(function TemplateRow({ template, coming, now, onOpen }: TemplateRowProps) {
  const missing = missingFiles(template);
  const [tone, word] = standing(template, coming ? missing.length : 0);
  return (
    <li>
      <button type="button" className="template" data-template={template.id} onClick={() => onOpen(template.id, false)}>
        <span className="name">{template.name}</span>
        <Badge tone={tone}>{word}</Badge>
        <span className="muted">
          {summary(template, missing)}
          {template.warnings.length > 0 && template.format !== "unreadable" && ` · ${template.warnings.length === 1 ? "1 warning" : `${template.warnings.length} warnings`}`}
          {now !== undefined && ` · changed ${ago(template.modified_at, now)}`}
        </span>
      </button>
      {missing.length > 0 && !coming && (
        <Button icon="download" label={`Install… what ${template.name} misses`} onClick={() => onOpen(template.id, true)}>
          Install…
        </Button>
      )}
    </li>
  );
});

/** What it needs, or what it misses of that, in a line. */
function summary(template: Template, missing: readonly string[]): string {
  if (template.format === "unreadable") return template.warnings[0]?.message ?? "It could not be read.";
  const all = needed(template.references).filter(({ active }) => active).length;
  if (missing.length === 0 && all === 0) return isUnchecked(template) ? "Needs files that could not be checked" : "Needs no local model";
  if (missing.length === 0) return `Needs ${files(all)}`;
  const names = missing.slice(0, 2).map(fileName).join(", ");
  return `Needs ${files(all)}, misses ${names}${missing.length > 2 ? ` and ${missing.length - 2} more` : ""}`;
}
