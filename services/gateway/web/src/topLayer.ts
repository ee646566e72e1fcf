/**
 * Keep an element above everything, and within reach: a modal dialog makes all that is outside of it inert, so the
 * element lives in the dialog that was opened last, and in the body while there is none.
 */
export function keepOnTop(layer: HTMLElement): () => void {
  let dialogs: readonly Element[] = [];
  const place = () => {
    const open = [...document.querySelectorAll("dialog[open]")];
    dialogs = [...dialogs.filter((dialog) => open.includes(dialog)), ...open.filter((dialog) => !dialogs.includes(dialog))];
    const home = dialogs.at(-1) ?? document.body;
    if (layer.parentElement === home) return;
    const focused = document.activeElement;
    home.append(layer);
    // Where there are no popovers it is a fixed element, which does as well.
    if ("showPopover" in layer) layer.showPopover();
    // What has arrived already does not arrive again.
    for (const animation of layer.getAnimations?.({ subtree: true }) ?? []) animation.finish();
    if (focused instanceof HTMLElement && layer.contains(focused)) focused.focus();
  };
  const watch = new MutationObserver((changes) => {
    // A dialog that is removed while it is open takes the layer along.
    if (!layer.isConnected || changes.some(({ target }) => target instanceof HTMLDialogElement)) place();
  });
  watch.observe(document.body, { subtree: true, childList: true, attributeFilter: ["open"] });
  place();
  return () => {
    watch.disconnect();
    layer.remove();
  };
}
