// What went wrong in a conversation, in the person's words; the server's own where there are none.
import { ApiError } from "./api";
import { i18n } from "./preferences";

export function problem(code: string, fallback: string): string {
  const key = `problems.${code}`;
  return i18n.global.te(key) ? i18n.global.t(key) : fallback;
}

/** What fails again however often it is tried. */
export function isFinal(code: string): boolean {
  return code === "too_large" || code === "invalid";
}

export function problemOf(error: ApiError): string {
  return error.status === 0 ? i18n.global.t("unreachable") : problem(error.code, error.message);
}
