// Debian's Chromium with a virtual authenticator, and everything that a page does wrong written down.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export async function openBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "ward-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    ignoreHTTPSErrors: true,
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The browser itself writes one line for each answer that is no success; those are the tests' own business.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(`console: ${message.text()}`);
  });
  const outside = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.hostname !== "localhost") outside.push(request.url());
  });
  if (process.env.WARD_CONSOLE) await serveFrom(context, process.env.WARD_CONSOLE);
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return {
    page,
    context,
    wrong,
    outside,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** The page's files from a folder and not from the binary: a screen is worked on faster than Cargo builds. */
async function serveFrom(context, folder) {
  const isPage = (url) => !/^\/(api|auth|log|crl|aia|healthz)\b/.test(url.pathname);
  await context.route(isPage, async (route) => {
    const file = join(folder, new URL(route.request().url()).pathname);
    await route.fulfill({ path: /\.\w+$/.test(file) && existsSync(file) ? file : join(folder, "index.html") });
  });
}

/** Findings of axe-core that are serious or critical, as lines. By CDP, since the page's own policy lets no script in. */
export async function axe(context, page) {
  const cdp = await context.newCDPSession(page);
  const run = `${AXE};axe.run(document,{runOnly:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r=>JSON.stringify(r.violations.filter(v=>v.impact==="serious"||v.impact==="critical").map(v=>v.id+": "+v.help+" | "+v.nodes.slice(0,4).map(n=>n.target.join(" ")+" "+(n.any[0]?.message??"")).join(" ; "))))`;
  const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", { expression: run, awaitPromise: true, returnByValue: true });
  // Not detached: with it the page's virtual authenticator would stop answering.
  if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return JSON.parse(result.value);
}
