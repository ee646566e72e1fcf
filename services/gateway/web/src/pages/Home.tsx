import { useState } from "react";
import { Board } from "../board/Board";
import { FirstSteps } from "../board/FirstSteps";
import { useBoard } from "../board/useBoard";
import { useFresh } from "../board/useFresh";
import { PageHead } from "../shell/PageHead";
import { useShortcuts } from "../shell/shortcuts";
import { Button } from "../ui";

export default function Home() {
  const { tiles, isDefault, arrange, reset } = useBoard();
  const fresh = useFresh();
  const [wanted, setArranging] = useState(false);
  const arranging = wanted && arrange !== undefined;
  useShortcuts([{ keys: "e", does: "Arrange the dashboard", run: () => setArranging(!arranging) }]);
  // The button that was pressed is gone.
  const backToHead = () => requestAnimationFrame(() => document.getElementById("arrange")?.focus());
  const done = () => {
    setArranging(false);
    backToHead();
  };
  return (
    <>
      <PageHead title="Dashboard" about="Models, downloads and machines at a glance.">
        {!arranging && arrange && (
          <Button id="arrange" icon="layout" onClick={() => setArranging(true)}>
            Arrange
          </Button>
        )}
      </PageHead>
      {fresh && tiles && !arranging && <FirstSteps onHide={backToHead} />}
      <Board
        // Together with what stands above it, so that nothing is pushed down.
        tiles={fresh === undefined ? undefined : tiles}
        arranging={arranging ? { isDefault, onArrange: arrange, onReset: reset, onDone: done } : undefined}
      />
    </>
  );
}
