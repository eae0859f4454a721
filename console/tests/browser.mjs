// Debian's Chromium with a virtual authenticator, and everything that a page does wrong written down.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** `provider`: the origin of an OpenID provider, whose pages are no pages of Ward. */
export async function openBrowser(provider) {
  const profile = mkdtempSync(join(tmpdir(), "ward-chromium-"));
  // A page whose certificate is in doubt is not cached (Chromium), which no reader's browser does to a Ward that it trusts.
  const trusted = process.env.WARD_PIN ? [`--ignore-certificate-errors-spki-list=${process.env.WARD_PIN}`] : [];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [...FLAGS, ...trusted],
    ignoreHTTPSErrors: !process.env.WARD_PIN,
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
    if (!url.protocol.startsWith("http") || url.hostname === "localhost" || url.origin === provider) return;
    if (provider === undefined || new URL(request.frame().url()).origin !== provider) outside.push(request.url());
  });
  // What a provider's own pages want from elsewhere (a font) they do not get: nothing of the tests leaves the machine.
  if (provider !== undefined) await context.route((url) => url.hostname !== "localhost" && url.origin !== provider, (route) => route.abort());
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
  const isPage = (url) => url.hostname === "localhost" && !/^\/(api|auth|log|crl|aia|healthz)\b/.test(url.pathname);
  await context.route(isPage, async (route) => {
    const file = join(folder, new URL(route.request().url()).pathname);
    // The page that a redirect leads to is the binary's: no route sees it, and its files are the binary's too.
    if (!/\.\w+$/.test(file)) await route.fulfill({ path: join(folder, "index.html") });
    else if (existsSync(file)) await route.fulfill({ path: file });
    else await route.continue();
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
