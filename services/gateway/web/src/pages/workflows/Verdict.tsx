import { Badge } from "../../ui";
import { standing, verdict } from "./standing";
import type { Scan } from "./templates";

/** How a workflow stands, in a sentence, and what was odd about its file. */
export function Verdict({ of, coming }: { of: Scan; coming: number }) {
  const [tone, word] = standing(of, coming);
  return (
    <section>
      <p className="verdict" role="status">
        <Badge tone={tone}>{word}</Badge>
        <span>{verdict(of, coming)}</span>
      </p>
      {of.warnings.length > 0 && <Warnings of={of.warnings} />}
    </section>
  );
}

function Warnings({ of }: { of: Scan["warnings"] }) {
  const unknown = of.find(({ code }) => code === "unknown_loader");
  return (
    <div className="note warn">
      <p>{of.length === 1 ? "1 warning" : `${of.length} warnings`}</p>
      <ul>
        {of.map(({ code, message }, index) => (
          <li key={`${code} ${index}`}>{message}</li>
        ))}
      </ul>
      {unknown && <Teach node={/^'([^']+)'/.exec(unknown.message)?.[1] ?? "TheNode"} />}
    </div>
  );
}

/** How a person tells the scanner which inputs of a custom node name files. */
function Teach({ node }: { node: string }) {
  const example = `{"loaders": {${JSON.stringify(node)}: {"model_name": {"folder": "checkpoints", "widget": 0}}}}`;
  return (
    <details>
      <summary>Teach Modeldeck this node</summary>
      <p>
        Write its inputs that name files into <code>loaders.json</code> in the data folder. It is read at once, and the
        templates are scanned again.
      </p>
      <pre tabIndex={0}>{example}</pre>
      <p>
        <code>model_name</code> is the input's name, <code>folder</code> the model folder that it lists, and <code>widget</code> its
        place among the node's widgets, counted from 0.
      </p>
    </details>
  );
}
