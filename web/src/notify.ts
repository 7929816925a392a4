// System notifications while the page is in the background.
import { ref } from "vue";
import type { Entry } from "./api";

export type Permission = NotificationPermission | "unsupported";

const BODY_CHARACTERS = 200;

export const permission = ref<Permission>("Notification" in window ? Notification.permission : "unsupported");

export async function askPermission(): Promise<void> {
  permission.value = await Notification.requestPermission();
}

/** Show an entry; a click on it opens the entry (sw.js). */
export async function notify(entry: Entry, title: string): Promise<void> {
  if (document.visibilityState === "visible" || permission.value !== "granted") return;
  const options: NotificationOptions = {
    body: (entry.summary || entry.text).slice(0, BODY_CHARACTERS),
    tag: `onebell-${entry.seq}`,
    icon: "/assets/icon-192.png",
    silent: entry.severity === "min" || entry.severity === "low",
    requireInteraction: entry.severity === "critical",
    data: { seq: entry.seq },
  };
  // Phones show notifications only through the service worker.
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) await worker.showNotification(title, options);
  else new Notification(title, options);
}

/** The number on the app's icon, where there is one. */
export function badge(unread: number): void {
  document.title = unread > 0 ? `(${unread}) onebell` : "onebell";
  if ("setAppBadge" in navigator) void navigator.setAppBadge(unread).catch(() => undefined);
}
