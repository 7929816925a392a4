// Keys for those who read many messages; off while a field or a menu has the keyboard.
import { onMounted, onUnmounted } from "vue";

export interface Keys {
  step(by: number): void;
  close(): void;
  search(): void;
}

/** A dialog, or a menu: it has the keys while the button that opened it has the keyboard. */
const OPEN = "[role=dialog][aria-modal=true], [aria-haspopup=menu][aria-expanded=true]";

function isTaken(event: KeyboardEvent): boolean {
  if (document.querySelector(OPEN) !== null) return true;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true;
  const at = event.target;
  return at instanceof Element && at.closest("input, textarea, select, [contenteditable], [role=dialog], [role=menu]") !== null;
}

export function useKeys(keys: Keys): void {
  const actions: Record<string, () => void> = {
    j: () => keys.step(1),
    ArrowDown: () => keys.step(1),
    k: () => keys.step(-1),
    ArrowUp: () => keys.step(-1),
    Escape: () => keys.close(),
    "/": () => keys.search(),
  };

  function onKey(event: KeyboardEvent): void {
    const action = isTaken(event) ? undefined : actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  // Before the dialog that the same key closes is gone.
  onMounted(() => window.addEventListener("keydown", onKey, true));
  onUnmounted(() => window.removeEventListener("keydown", onKey, true));
}
