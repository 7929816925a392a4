import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// The server serves the page at `/` and everything the build names under `/assets/`.
export default defineConfig({
  plugins: [vue()],
  base: "/",
  build: {
    outDir: "../src/onebell/console/web",
    emptyOutDir: true,
    assetsDir: "assets",
    target: "es2022",
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8080", ws: true } } },
});
