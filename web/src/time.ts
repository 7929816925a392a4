// How instants are shown: short in the list, whole in the open message.
import { ref } from "vue";

const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

/** Moves once a minute, so that "today" ends at midnight. */
export const now = ref(new Date());
window.setInterval(() => (now.value = new Date()), 60_000);

/** How far the server's clock is ahead of this one, as its last answer said. */
let aheadMs = 0;

export function hearClock(date: string | null): void {
  const at = Date.parse(date ?? "");
  if (!Number.isNaN(at)) aheadMs = at - Date.now();
}

/** How long ago an instant of the server's was, by the server's own clock. */
export function ageMs(iso: string): number {
  return Date.now() + aheadMs - Date.parse(iso);
}

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** Days between then and now by the calendar: 0 = today. */
export function daysAgo(iso: string): number {
  return Math.max(0, Math.round((midnight(now.value) - midnight(new Date(iso))) / DAY_MS));
}

export function shortTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(new Date(iso));
}

/** A day's heading, for days before yesterday. */
export function dayName(iso: string, locale: string): string {
  const at = new Date(iso);
  if (daysAgo(iso) < WEEK_DAYS) return new Intl.DateTimeFormat(locale, { weekday: "long" }).format(at);
  const isThisYear = at.getFullYear() === now.value.getFullYear();
  const style: Intl.DateTimeFormatOptions = { month: "long", day: "numeric", ...(isThisYear ? {} : { year: "numeric" }) };
  return new Intl.DateTimeFormat(locale, style).format(at);
}

export function fullTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" }).format(new Date(iso));
}

/** Seconds of a recording as 1:05. */
export function clockTime(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;
}
