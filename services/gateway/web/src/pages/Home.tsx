import { useState } from "react";
import { Board } from "../board/Board";
import { useBoard } from "../board/useBoard";
import { PageHead } from "../shell/PageHead";
import { useShortcuts } from "../shell/shortcuts";
import { Button } from "../ui";

export default function Home() {
  const { tiles, isDefault, arrange, reset } = useBoard();
  const [arranging, setArranging] = useState(false);
  useShortcuts([{ keys: "e", does: "Arrange the dashboard", run: () => setArranging(!arranging) }]);
  const done = () => {
    setArranging(false);
    // The button that was pressed is gone.
    requestAnimationFrame(() => document.getElementById("arrange")?.focus());
  };
  return (
    <>
      <PageHead title="Dashboard" about="Models, downloads and machines at a glance.">
        {!arranging && tiles && (
          <Button id="arrange" icon="layout" onClick={() => setArranging(true)}>
            Arrange
          </Button>
        )}
      </PageHead>
      <Board tiles={tiles} arranging={arranging ? { isDefault, onArrange: arrange, onReset: reset, onDone: done } : undefined} />
    </>
  );
}
