// Language and appearance: what the person chose, else what the browser says.
import { computed, ref, watchEffect } from "vue";
import { createI18n } from "vue-i18n";
import en from "./locales/en.json";
import zhCN from "./locales/zh-CN.json";

export type Appearance = "system" | "light" | "dark";
export type Language = "en" | "zh-CN";

function remembered<T extends string>(key: string, allowed: readonly T[], fallback: T) {
  const stored = localStorage.getItem(key) as T | null;
  const value = ref<T>(stored !== null && allowed.includes(stored) ? stored : fallback);
  watchEffect(() => localStorage.setItem(key, value.value));
  return value;
}

export const language = remembered<Language>(
  "onebell.language",
  ["en", "zh-CN"],
  navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en",
);
export const appearance = remembered<Appearance>("onebell.appearance", ["system", "light", "dark"], "system");

/** How dates are written: the chosen language as the browser's own region writes it. */
export const region = computed(() => {
  const base = language.value.slice(0, 2);
  return navigator.languages.find((one) => one.toLowerCase().startsWith(base)) ?? language.value;
});

const system = window.matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = ref(system.matches);
system.addEventListener("change", (event) => (systemIsDark.value = event.matches));

export const isDark = computed(() => (appearance.value === "system" ? systemIsDark.value : appearance.value === "dark"));
watchEffect(() => {
  document.documentElement.dataset["theme"] = isDark.value ? "dark" : "light";
});

export const i18n = createI18n({ legacy: false, locale: language.value, fallbackLocale: "en", messages: { en, "zh-CN": zhCN } });
watchEffect(() => {
  i18n.global.locale.value = language.value;
  document.documentElement.lang = language.value;
});
