// What is open as part of the address, so that the phone's back key closes it and a link or notification opens it:
// `#m12` an entry, `#c7` the conversation of a feed.
import { ref } from "vue";

const HASH = /^#([mc])(\d+)$/;

export const openSeq = ref<number | null>(null);
/** The feed whose conversation is open. */
export const openFeed = ref<string | null>(null);
let isOurs = false;

function read(): void {
  const [, kind, number] = HASH.exec(location.hash) ?? [];
  openSeq.value = kind === "m" ? Number(number) : null;
  openFeed.value = kind === "c" && number !== undefined ? number : null;
}

const isOpen = (): boolean => openSeq.value !== null || openFeed.value !== null;

function go(hash: string): void {
  if (!isOpen()) {
    history.pushState(null, "", hash);
    isOurs = true;
  } else history.replaceState(null, "", hash);
  read();
}

read();
window.addEventListener("popstate", () => {
  read();
  if (!isOpen()) isOurs = false;
});

export function openAt(seq: number): void {
  go(`#m${seq}`);
}

export function openTalk(feed: string): void {
  go(`#c${feed}`);
}

export function closeOpen(): void {
  if (!isOpen()) return;
  openSeq.value = openFeed.value = null;
  if (isOurs) history.back();
  else history.replaceState(null, "", location.pathname);
  isOurs = false;
}
