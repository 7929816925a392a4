// How instants are shown: short in the list, whole in the open message.

const DAY_MS = 86_400_000;

export type Day = "today" | "yesterday" | "older";

function midnight(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

export function dayOf(iso: string, now = new Date()): Day {
  const days = Math.round((midnight(now) - midnight(new Date(iso))) / DAY_MS);
  if (days <= 0) return "today";
  return days === 1 ? "yesterday" : "older";
}

export function shortTime(iso: string, locale: string): string {
  const at = new Date(iso);
  const style: Intl.DateTimeFormatOptions =
    dayOf(iso) === "older" ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale, style).format(at);
}

export function fullTime(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" }).format(new Date(iso));
}
