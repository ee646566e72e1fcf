import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` talks to a gateway that is already running here.
const gateway = process.env["MODELDECK_URL"] ?? "http://127.0.0.1:8420";

// Not what few visits need: the stream without a worker, the help sheet.
const SHELL = [
  /\/node_modules\/(react|react-dom|scheduler|@tanstack|openapi-fetch)\//,
  /\/src\/(api|shell|widgets)\/(?!feed\.|HelpSheet\.)/,
  /\/src\/[^/]+$/,
  /\/src\/board\/(Board|layout|registry|useBoard)\./,
];

function isShell(module: string): boolean {
  return SHELL.some((pattern) => pattern.test(module));
}

export default defineConfig({
  plugins: [react()],
  // The gateway's content policy allows no data: URL, so nothing is inlined.
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What every page needs is one file, which compresses better than several; pages and dialogs come when asked for.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "shell", test: isShell }] } } },
  },
  worker: { format: "es" },
  server: { proxy: { "/api": { target: gateway, changeOrigin: true } } },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"], restoreMocks: true },
});
