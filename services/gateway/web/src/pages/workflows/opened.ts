/** A file that a person opened or dropped: what it is, or why it is of no use here. */
export type Opened =
  | { kind: "workflow" | "lock"; id: string; name: string; content: object }
  | { kind: "refused"; id: string; name: string; reason: string };

/** The gateway takes no larger workflow. */
const MAX_BYTES = 5 * 1024 * 1024;
let opened = 0;

export async function open(file: File): Promise<Opened> {
  opened += 1;
  const { name } = file;
  const id = `${opened}`;
  const refuse = (reason: string): Opened => ({ kind: "refused", id, name, reason });
  if (file.size > MAX_BYTES) return refuse(`It has ${(file.size / 1e6).toFixed(1)} MB; a workflow or lock file has at most 5 MB.`);
  let content: unknown;
  try {
    content = JSON.parse(await file.text());
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(`It is not JSON: ${error.message}`);
    if (error instanceof DOMException) return refuse(`It cannot be read: ${error.message}`);
    throw error;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return refuse("It is JSON, but neither a workflow nor a lock file: those are objects.");
  }
  return { kind: "modeldeck_lock" in content ? "lock" : "workflow", id, name, content };
}

/** Give the person a text as a file. */
export function save({ name, text }: { name: string; text: string }): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
