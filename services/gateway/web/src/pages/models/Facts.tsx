import { useId, useState } from "react";
import { bytes, compact, count } from "../../format";
import { Icon } from "../../icons";
import { Button } from "../../ui";
import type { Variant } from "./data";
import { isObject } from "./stored";

export type Fact = readonly [label: string, value: string | undefined];

/** What is known, a line each; what is not known has none. */
export function Facts({ of }: { of: readonly Fact[] }) {
  const known = of.filter(([, value]) => value !== undefined && value !== "");
  if (known.length === 0) return <p className="muted">Nothing more is known.</p>;
  return (
    <dl className="fact-list">
      {known.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface Described {
  model_family?: string | null;
  family?: string | null;
  architecture?: string | null;
  parameters?: number | null;
  quantization?: { bits?: number | null; method?: string | null } | null;
  context_length?: number | null;
  dtype?: string | null;
  base_model?: string | null;
  model_type?: string | null;
  license?: string | null;
}

/** The members that the product knows the meaning of, in words. */
export function describedFacts(of: Described): Fact[] {
  const { quantization } = of;
  const bits = quantization?.bits == null ? undefined : `${quantization.bits} bits`;
  return [
    ["Family", of.model_family ?? of.family ?? undefined],
    ["Architecture", of.architecture ?? undefined],
    ["Parameters", of.parameters == null ? undefined : compact(of.parameters)],
    ["Quantization", [quantization?.method, bits].filter(Boolean).join(", ") || undefined],
    ["Data type", of.dtype ?? undefined],
    ["Context", of.context_length == null ? undefined : `${count(of.context_length)} tokens`],
    ["Base model", of.base_model ?? undefined],
    ["Kind", of.model_type ?? undefined],
    ["Licence", of.license ?? undefined],
  ];
}

const SAID = new Set(["family", "architecture", "parameters", "quantization", "context_length", "dtype", "base_model", "model_type", "license", "model_family"]);

/** The rest of a file's own header, as it is. */
export function otherFacts(metadata: Readonly<Record<string, unknown>>, inside = ""): Fact[] {
  return Object.entries(metadata).flatMap(([key, value]): Fact[] => {
    if (!inside && SAID.has(key)) return [];
    if (isObject(value)) return inside ? [[key, JSON.stringify(value)]] : otherFacts(value, key);
    if (value == null || value === "") return [];
    return [[key.replaceAll("_", " "), Array.isArray(value) ? value.join(", ") : String(value)]];
  });
}

const NAMES: Readonly<Record<string, string>> = { huggingface: "Hugging Face", civitai: "Civitai", homepage: "Home page", paper: "Paper", announcement: "Announcement", github: "GitHub" };

/** Links that lead away, in a new tab. Only web addresses: what a hub states is not trusted further. */
export function Links({ of }: { of: Readonly<Record<string, string>> }) {
  const links = Object.entries(of).filter(([, href]) => /^https?:\/\//i.test(href));
  if (links.length === 0) return null;
  return (
    <ul className="links">
      {links.map(([name, href]) => (
        <li key={name}>
          <a className="button" href={href} target="_blank" rel="noreferrer">
            <span>
              {NAMES[name] ?? name}
              <span className="sr">, in a new tab</span>
            </span>
            <Icon name="external" />
          </a>
        </li>
      ))}
    </ul>
  );
}

/** A long text of which the beginning suffices for most. */
export function Folded({ children }: { children: string }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const long = children.length > 280;
  return (
    <>
      <p id={id} className={long && !open ? "folded" : undefined}>
        {children}
      </p>
      {long && (
        <Button kind="quiet" onClick={() => setOpen(!open)}>
          {open ? "Show less" : "Show all of it"}
        </Button>
      )}
    </>
  );
}

export function variantFacts({ size_bytes, sha256, path, parts, role, metadata, quantization }: Variant): Fact[] {
  return [
    ["Size", size_bytes == null ? undefined : bytes(size_bytes)],
    ["Path", path ?? undefined],
    ["Role", role ?? undefined],
    ["Files", parts && parts.length > 1 ? `${parts.length}, one model` : undefined],
    ...describedFacts({ ...metadata, quantization: quantization ?? metadata.quantization ?? null }),
    ["SHA-256", sha256 ?? undefined],
  ];
}
