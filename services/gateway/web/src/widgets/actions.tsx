import { refreshPresets, useCommand } from "../api/commands";
import { reachable } from "../pages/paths";
import type { Widget } from "../board/registry";
import { Icon, type IconName } from "../icons";
import { Section } from "../ui";

/** Only what this product has: a link that would lead nowhere is left out. */
const LINKS: readonly [href: string, icon: IconName, title: string, about: string][] = [
  ["/models", "download", "Add model", "Preset, hub or URL"],
  ["/workflows", "workflows", "Check workflows", "See what they still miss"],
];

function Actions() {
  const { run, pending } = useCommand("catalog");
  return (
    <Section id="actions" title="Quick actions">
      <ul className="actions-grid">
        {LINKS.filter(([href]) => reachable(href)).map(([href, icon, title, about]) => (
          <li key={href}>
            <a className="action" href={href}>
              <Icon name={icon} />
              <span>
                <strong>{title}</strong>
                <small className="muted">{about}</small>
              </span>
            </a>
          </li>
        ))}
        <li>
          <button type="button" className={`action${pending ? " busy" : ""}`} disabled={pending} onClick={() => run(refreshPresets())}>
            <Icon name="refresh" />
            <span>
              <strong>{pending ? "Refreshing…" : "Refresh catalog"}</strong>
              <small className="muted">Read the presets again</small>
            </span>
          </button>
        </li>
        <li>
          <a className="action" href="/docs">
            <Icon name="code" />
            <span>
              <strong>API reference</strong>
              <small className="muted">Every route, for scripts</small>
            </span>
          </a>
        </li>
      </ul>
    </Section>
  );
}

export default { id: "quick-actions", title: "Quick actions", order: 65, w: 2, h: 1, component: Actions } satisfies Widget;
