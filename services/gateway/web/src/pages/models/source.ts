/** What a person may write to name something to download, as far as it can be told before anybody is asked. */
export type Written =
  | { kind: "nothing" }
  /** Not finished yet, or wrong; `wrong` when more typing cannot mend it. */
  | { kind: "unclear"; say: string; wrong: boolean }
  /** A repository, page or file of a hub: the hub is asked about it. */
  | { kind: "hub"; text: string }
  /** Any other address of a file: it needs a place. */
  | { kind: "file"; url: string; filename: string };

const HUBS = /^(?:www\.)?(?:huggingface\.co|hf\.co|civitai\.com)$/;
const REPO = /^[A-Za-z0-9_][\w.-]{0,95}\/[A-Za-z0-9_][\w.-]{0,95}(?:@[\w./-]{1,128})?$/;
const AIR = /^(?:urn:air:[\w.-]+:[\w.-]+:)?civitai[:/]\d+(?:@\d+)?$/i;
const MODEL_FILE = /\.(?:safetensors|sft|gguf|ckpt|pth?|bin|onnx)$/i;

/** What was understood, in words, while it is typed; nothing for what is not finished. */
export function understood(written: Written): string | undefined {
  if (written.kind === "file") return `A file at ${new URL(written.url).host}: ${written.filename}`;
  if (written.kind !== "hub") return undefined;
  const { text } = written;
  if (AIR.test(text) || /civitai\.com\//i.test(text)) return "A model on Civitai";
  const file = /\/(?:blob|resolve)\/[^/]+\/(?:[^?#]*\/)?([^/?#]+)/.exec(text)?.[1];
  const repo = /^(?:hf:\/\/|https?:\/\/[^/]+\/|[^/]+\.(?:co|com)\/)?([^/]+\/[^/?#]+)/i.exec(text)?.[1] ?? text;
  const host = /^https?:\/\/([^/]+)/i.exec(text)?.[1]?.toLowerCase();
  const hub = host && !HUBS.test(host) ? host : "Hugging Face";
  return file ? `The file ${decode(file)} of ${repo} on ${hub}` : `The repository ${repo} on ${hub}`;
}

/** `hubs` are further hosts that are hubs here, such as a mirror. */
export function readSource(input: string): Written {
  const text = input.trim();
  if (text === "") return { kind: "nothing" };
  const wrong = (say: string): Written => ({ kind: "unclear", say, wrong: true });
  if (/\s/.test(text)) return wrong("An address has no spaces in it.");
  if (/^hf:\/\//i.test(text) || AIR.test(text)) return { kind: "hub", text };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme && scheme !== "http" && scheme !== "https") return wrong(`${scheme}:// cannot be downloaded from; http:// and https:// can.`);
  if (scheme || HUBS.test(text.split("/")[0]?.toLowerCase() ?? "")) return readAddress(scheme ? text : `https://${text}`);
  if (REPO.test(text)) return { kind: "hub", text };
  if (text.startsWith("/") || text.includes("..") || text.includes("\\")) return wrong("That is a path. Write org/repo or paste a link.");
  if ((text.match(/\//g)?.length ?? 0) > 1) return wrong("A repository is written org/repo; to name a file in it, paste its link.");
  return { kind: "unclear", say: "Go on: org/repo, or a whole link.", wrong: false };
}

function readAddress(text: string): Written {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { kind: "unclear", say: "This is no whole address yet.", wrong: false };
  }
  if (url.username || url.password) return { kind: "unclear", say: "Leave out the user name and password: tokens belong into the settings of the server.", wrong: true };
  if (HUBS.test(url.host)) {
    const parts = url.pathname.split("/").filter(Boolean);
    if (parts.length < 2) return { kind: "unclear", say: "The link should lead to a model, not to the hub's first page.", wrong: false };
    return { kind: "hub", text };
  }
  // A mirror of the hub has its addresses' shape; the server knows whether it is one.
  if (/^\/[^/]+\/[^/]+(?:\/(?:tree|blob|resolve)\/.+)?\/?$/.test(url.pathname) && !MODEL_FILE.test(url.pathname)) return { kind: "hub", text };
  const filename = decode(url.pathname.split("/").pop() ?? "");
  if (!filename) return { kind: "unclear", say: "The link should end with a file's name.", wrong: false };
  return { kind: "file", url: url.href, filename };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}

/** Where a single file is likely to belong; the person has the last word. */
export const FOLDERS = [
  "checkpoints", "diffusion_models", "text_encoders", "vae", "loras", "controlnet", "clip_vision", "upscale_models", "ipadapter", "embeddings", "llm",
] as const;

export function likelyFolder(filename: string): string {
  const name = filename.toLowerCase();
  if (name.endsWith(".gguf")) return "llm";
  const signs: readonly [RegExp, string][] = [
    [/lora/, "loras"],
    [/vae|^ae\./, "vae"],
    [/control/, "controlnet"],
    [/clip_?vision/, "clip_vision"],
    [/clip|t5|umt5|text_?enc/, "text_encoders"],
    [/esrgan|upscal|[24]x/, "upscale_models"],
    [/ip-?adapter/, "ipadapter"],
    [/unet|diffusion/, "diffusion_models"],
  ];
  return signs.find(([sign]) => sign.test(name))?.[1] ?? "checkpoints";
}
