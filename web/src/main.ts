import { createApp } from "vue";
import App from "./App.vue";
import { i18n } from "./preferences";
import "./style.css";

createApp(App).use(i18n).mount("#app");

if ("serviceWorker" in navigator) {
  // Without it the page works as well; it only does not open offline.
  navigator.serviceWorker.register("/sw.js").catch(() => undefined);
}
