import type { TextFile } from "./asked";
import { bytes } from "../../format";
import { workflowIn } from "./pictures";

/** A file that a person opened or dropped: what it is, or why it is of no use here. */
export type Opened = OpenedWorkflow | OpenedLock | OpenedElse;

interface OpenedFile {
  id: string;
  name: string;
}

export interface OpenedWorkflow extends OpenedFile {
  kind: "workflow";
  content: object;
}

export interface OpenedLock extends OpenedFile {
  kind: "lock";
  content: object;
}

interface OpenedElse extends OpenedFile {
  kind: "refused";
  reason: string;
}

/** The gateway takes no larger workflow. */
const MAX_BYTES = 5 * 1024 * 1024;
const MODEL = /\.(safetensors|sft|ckpt|gguf|pth?|pt2|bin|onnx|pkl)$/i;
const PICTURE = /\.(png|jpe?g|webp|gif|avif)$/i;
let opened = 0;

export async function open(file: File): Promise<Opened> {
  opened += 1;
  const { name } = file;
  const id = `${opened}`;
  const refuse = (reason: string): Opened => ({ kind: "refused", id, name, reason });
  if (MODEL.test(name)) return refuse("It is a model file, not a workflow. Put it into a folder of the models folder: it then appears on the Models page by itself.");
  let text: string | undefined;
  try {
    if (PICTURE.test(name) || file.type.startsWith("image/")) {
      text = await workflowIn(file);
      if (text === undefined) return refuse("It is a picture without a workflow in it. Open the PNG that ComfyUI saved, or export the workflow as JSON there.");
    } else if (file.size > MAX_BYTES) return refuse(`It has ${bytes(file.size)}; a workflow or lock file has at most 5 MB.`);
    else text = await file.text();
  } catch (error) {
    if (error instanceof DOMException) return refuse(`It cannot be read: ${error.message}`);
    throw error;
  }
  return read(text, { id, name }, refuse);
}

function read(text: string, file: { id: string; name: string }, refuse: (reason: string) => Opened): Opened {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(`It is not JSON: ${error.message}`);
    throw error;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return refuse("It is JSON, but neither a workflow nor a lock file: those are objects.");
  }
  if ("modeldeck_lock" in content) return { kind: "lock", ...file, content };
  if (!isWorkflow(content)) return refuse("It is JSON, but no workflow: it has no nodes. Export the workflow from ComfyUI as JSON.");
  return { kind: "workflow", ...file, content };
}

/** Whether it looks like a workflow of either format; the scanner reads what does, and decides. */
function isWorkflow(content: object): boolean {
  const looksIt = (value: unknown) => typeof value === "object" && value !== null && "class_type" in value;
  return ["nodes", "last_node_id", "definitions", "prompt", "class_type"].some((name) => name in content) || Object.values(content).some(looksIt);
}

/** Give the person a text as a file. */
export function save({ name, text }: TextFile): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
