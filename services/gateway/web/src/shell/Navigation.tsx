import { Icon } from "../icons";
import { pages } from "../pages/paths";

/** The pages, the home page first: at the side on wide screens, at the bottom on phones. */
export function Navigation({ path }: { path: string }) {
  return (
    <nav className="navigation" aria-label="Pages">
      <ul>
        {pages.map((page) => (
          <li key={page.path}>
            <a href={page.path} aria-current={page.path === path ? "page" : undefined}>
              <Icon name={page.icon} />
              <span>{page.title}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
