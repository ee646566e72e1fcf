/** The workflow lies before the pixels. */
const LOOKED_AT_BYTES = 8 * 1024 * 1024;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** The workflow that ComfyUI wrote into a PNG, as text (a `tEXt` chunk of that name); undefined when there is none. */
export async function workflowIn(picture: Blob): Promise<string | undefined> {
  const bytes = new Uint8Array(await picture.slice(0, LOOKED_AT_BYTES).arrayBuffer());
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) return undefined;
  const view = new DataView(bytes.buffer);
  const text = (from: number, to: number) => new TextDecoder("latin1").decode(bytes.subarray(from, to));
  for (let at = SIGNATURE.length; at + 8 <= bytes.length; ) {
    const [length, kind, start] = [view.getUint32(at), text(at + 4, at + 8), at + 8];
    if (kind === "IDAT" || start + length > bytes.length) return undefined;
    if (kind === "tEXt") {
      const [name, value] = text(start, start + length).split("\0", 2);
      if (name === "workflow") return value;
    }
    at = start + length + 4;
  }
  return undefined;
}
