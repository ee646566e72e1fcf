import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` talks to a gateway that is already running here.
const gateway = process.env["MODELDECK_URL"] ?? "http://127.0.0.1:8420";

export default defineConfig({
  plugins: [react()],
  // The gateway's content policy allows no data: URL, so nothing is inlined.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: "es" },
  server: { proxy: { "/api": { target: gateway, changeOrigin: true } } },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"], restoreMocks: true },
});
