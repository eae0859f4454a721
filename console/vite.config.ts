// How the console is built and, while it is worked on, served.
//
// `npm run dev` needs a Ward with a token: WARD_URL (https://localhost:8443) and WARD_TOKEN. The token is put into requests
// by this development server and by nothing that is built.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { developmentSession } from "./build/development-session.ts";

const ward = process.env["WARD_URL"] ?? "https://localhost:8443";
const token = process.env["WARD_TOKEN"];

export default defineConfig({
  plugins: [react(), developmentSession(token)],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    proxy: Object.fromEntries(
      ["/api/", "/auth/", "/log/", "/crl/", "/aia/"].map((path) => [
        path,
        {
          target: ward,
          // The certificate of a Ward on one's own machine is signed by its own root.
          secure: false,
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        },
      ]),
    ),
  },
  build: {
    target: "es2023",
    // A data: URL would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    // Not "assets": that is the address of a screen.
    assetsDir: "static",
    // dist/.gitignore stays, so that Cargo can watch the folder before the first build; build/clean.mjs removes the rest.
    emptyOutDir: false,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["build/test-setup.ts"] },
});
