import { Boundary } from "../ui";
import { widgets } from "./registry";

/** The home page: every widget, each failing alone. */
export function Board() {
  return (
    <div className="board">
      {widgets.map(({ id, title, w, component: Component }) => (
        <div key={id} className={`tile w${w}`}>
          <Boundary title={title}>
            <Component />
          </Boundary>
        </div>
      ))}
    </div>
  );
}
