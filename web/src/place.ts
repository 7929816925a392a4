// The open entry as part of the address, so that the phone's back key closes it and a link or notification opens it.
import { ref } from "vue";

const HASH = /^#m(\d+)$/;

function read(): number | null {
  const found = HASH.exec(location.hash);
  return found?.[1] === undefined ? null : Number(found[1]);
}

export const openSeq = ref<number | null>(read());
let isOurs = false;

window.addEventListener("popstate", () => {
  openSeq.value = read();
  if (openSeq.value === null) isOurs = false;
});

export function openAt(seq: number): void {
  if (openSeq.value === null) {
    history.pushState(null, "", `#m${seq}`);
    isOurs = true;
  } else history.replaceState(null, "", `#m${seq}`);
  openSeq.value = seq;
}

export function closeOpen(): void {
  if (openSeq.value === null) return;
  openSeq.value = null;
  if (isOurs) history.back();
  else history.replaceState(null, "", location.pathname);
  isOurs = false;
}
