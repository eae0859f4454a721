/* global performance, PerformanceObserver -- evaluated in the page */
// How long people wait at a Ward that is full: each screen's first paint, what it says, and what a key or a click costs.
// Called by bench/console; prints one line of JSON.
//
//   WARD_ORIGIN=https://localhost:8443 WARD_LINK=https://…/#/welcome/… WARD_PIN=… node tests/speed.mjs ROUNDS
//
// WARD_PIN: the SHA-256 of the server's public key in Base64, so that the browser trusts and caches as a reader's does.
import { openBrowser } from "./browser.mjs";

const rounds = Number(process.argv[2] ?? 5);
const { WARD_ORIGIN: origin, WARD_LINK: link } = process.env;
if (!origin || !link) throw new Error("WARD_ORIGIN and WARD_LINK say which Ward, and how to get in");

/** Address, and what is there as soon as the screen says what it was opened for. */
const SCREENS = {
  overview: ["/", ".page h1"],
  inventory: ["/inventory", '[role="row"][aria-rowindex="3"]'],
  "inventory, searched": ["/inventory?q=expires+%3C+30d+and+not+expired&sort=risk", '[role="row"][aria-rowindex="2"]'],
  certificate: [null, ".chain-self"],
  assets: ["/assets", ".page h1"],
  discovery: ["/discovery", ".page h1"],
  topology: ["/topology", ".page h1"],
  requests: ["/requests", ".page h1"],
  authorities: ["/authorities", ".page h1"],
  audit: ["/audit", ".page h1"],
  radar: ["/radar", ".page h1"],
  settings: ["/settings", ".page h1"],
};

const browser = await openBrowser();
const { page } = browser;
const network = await browser.context.newCDPSession(page);
const opened = {};
const visited = {};
const acted = {};
try {
  await page.goto(link);
  await page.getByLabel("Name of this passkey").fill("Bench");
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByRole("button", { name: "Sign in with it" }).click();
  await page.getByRole("button", { name: "Make recovery codes" }).click();
  await page.getByRole("button", { name: "I keep them safe" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  const first = await firstCertificate();
  for (const [name, [path, ready]] of Object.entries(SCREENS)) {
    visited[name] = (await openings(path ?? first, ready, () => network.send("Network.clearBrowserCache"))).paint;
    opened[name] = await openings(path ?? first, ready);
  }
  await actions();
} finally {
  await browser.close();
}
console.log(JSON.stringify({ rounds, visited, opened, acted }));

async function firstCertificate() {
  await page.goto(`${origin}/inventory`);
  const row = page.locator('[role="row"][aria-rowindex="2"] a').first();
  await row.waitFor();
  return row.getAttribute("href");
}

/** Milliseconds from the start of a navigation, each a whole load of the page; with `before`, as of a first visit. */
async function openings(path, ready, before = async () => undefined) {
  const paint = [];
  const said = [];
  const idle = [];
  for (let round = 0; round < rounds; round += 1) {
    await page.goto("about:blank");
    await before();
    await page.goto(origin + path, { waitUntil: "commit" });
    await page.locator(ready).first().waitFor({ timeout: 60_000 });
    said.push(await page.evaluate(() => performance.now()));
    // Nothing is fetched any more: the last panel of the screen has what it shows.
    await page.waitForLoadState("networkidle").catch(() => {});
    const seen = await page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
      last: Math.max(0, ...performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/") && !one.name.includes("/stream")).map((one) => one.responseEnd)),
    }));
    if (seen.paint !== null) paint.push(seen.paint);
    idle.push(seen.last);
  }
  return { paint, said, answered: idle };
}

/** From a key or a click to the next paint (Event Timing: `duration`), and to what was asked for. */
async function actions() {
  await page.goto(`${origin}/inventory`);
  await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
  await page.evaluate(() => {
    globalThis.wardEvents = [];
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) if (one.interactionId) globalThis.wardEvents.push(one.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: false });
  });
  const grid = () => page.getByRole("grid", { name: "Certificates" });
  await acting("a row down", async () => page.keyboard.press("ArrowDown"), undefined, async () => grid().focus());
  await acting("a page down", async () => page.keyboard.press("PageDown"));
  await acting("a letter in the search", async () => page.keyboard.type("p"), undefined, async () => page.keyboard.press("/"));
  await page.keyboard.press("Escape");
  await acting("the palette", async () => page.keyboard.press("Control+k"), async () => page.getByRole("dialog").waitFor(), async () => page.keyboard.press("Escape"));
  await page.keyboard.press("Escape");
}

async function acting(name, act, shown = async () => undefined, before = async () => undefined) {
  const took = [];
  for (let round = 0; round < rounds; round += 1) {
    await before();
    await page.waitForTimeout(100);
    await page.evaluate(() => { globalThis.wardEvents.length = 0; });
    await act();
    await shown();
    await page.waitForTimeout(300);
    // What is not listed took less than 16 ms.
    took.push(await page.evaluate(() => Math.max(8, ...globalThis.wardEvents)));
  }
  acted[name] = took;
}
