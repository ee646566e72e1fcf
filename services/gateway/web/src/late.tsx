import { useEffect, useState, type ComponentType } from "react";
import { isReplaced } from "./shell/version";
import { notify } from "./toasts";

/**
 * A dialog whose code is fetched when it is first asked for; nothing is shown until then. When it cannot be fetched a
 * message says so, and it counts as closed: the next press tries again.
 */
export function late<P extends { onClose: () => void }>(load: () => Promise<ComponentType<P>>, isWanted: (props: P) => boolean = () => true): ComponentType<P> {
  let fetched: ComponentType<P> | undefined;
  return function Late(props: P) {
    const [Found, setFound] = useState<ComponentType<P> | undefined>(() => fetched);
    const wanted = isWanted(props);
    const { onClose } = props;
    useEffect(() => {
      if (!wanted || Found) return;
      let gone = false;
      load().then(
        (component) => {
          fetched = component;
          if (!gone) setFound(() => component);
        },
        async () => {
          await sayWhy();
          if (!gone) onClose();
        },
      );
      return () => {
        gone = true;
      };
    }, [wanted, Found]);
    return wanted && Found ? <Found {...props} /> : null;
  };
}

async function sayWhy(): Promise<void> {
  if (await isReplaced()) {
    const action = { label: "Reload", run: () => location.reload() };
    notify({ type: "warning", title: "Modeldeck was updated", message: "Reload the page to go on with the new version.", action });
  } else notify({ type: "error", title: "That could not be opened", message: "The gateway did not deliver it. Try again in a moment." });
}
