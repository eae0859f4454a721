// The console in a browser, from the first administrator's link to a certificate. Each check says what it looked for; pictures
// of every screen lie in .tmp/screens.
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { axe, openBrowser } from "./browser.mjs";
import { furnish } from "./furnish.mjs";
import { get, openHouse } from "./house.mjs";
import { SCREENS } from "./screens.mjs";

const PICTURES = fileURLToPath(new URL("../../.tmp/screens/", import.meta.url));
mkdirSync(PICTURES, { recursive: true });

let failed = 0;
async function check(what, holds) {
  try {
    const said = await holds();
    if (said === false) throw new Error("it does not hold");
    console.log(`  ok    ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`  FAIL  ${what}\n        ${String(error.message ?? error).split("\n").slice(0, 12).join("\n        ")}`);
  }
}

const house = await openHouse();
const browser = await openBrowser();
const { page, context } = browser;
try {
  await served();
  await signIn();
  await work();
  await hostile();
  await furnish(house);
  await onPaper();
  await everyScreen();
  await check("no page wrote an error, nor was anything refused by its policy", () => equal(browser.wrong, []));
  await check("nothing was loaded from outside", () => equal(browser.outside, []));
} finally {
  await browser.close();
  await house.close();
}
console.log(failed === 0 ? "browser: all passed" : `browser: ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function equal(found, expected) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`found ${one}, expected ${other}`);
}

/** What the server says of the page's files, whoever asks. */
async function served() {
  const { origin } = house;
  const html = { accept: "text/html", "sec-fetch-mode": "navigate" };
  const page = await get(`${origin}/`, html);
  const text = page.body.toString();
  await check("the page has a policy with a nonce of its own, and no inline script (CSP Level 3)", async () => {
    const nonce = /'nonce-([A-Za-z0-9+/=]{20,})'/.exec(page.headers["content-security-policy"])?.[1];
    const again = await get(`${origin}/`, html);
    equal([page.status, text.includes(nonce), again.headers["content-security-policy"].includes(nonce), /<script(?![^>]*\ssrc=)/.test(text)], [200, true, false, false]);
    equal(/script-src 'self';/.test(page.headers["content-security-policy"]), true);
  });
  const script = /src="(\/static\/[^"]+\.js)"/.exec(text)?.[1];
  await check("assets are immutable, typed, compressed as asked, and known again by their tag (RFC 9110)", async () => {
    const brotli = await get(origin + script, { "accept-encoding": "gzip, br" });
    const gzip = await get(origin + script, { "accept-encoding": "gzip, br;q=0" });
    const plain = await get(origin + script);
    equal([brotli.headers["content-encoding"], gzip.headers["content-encoding"], plain.headers["content-encoding"]], ["br", "gzip", undefined]);
    equal(brotli.headers["content-type"], "text/javascript; charset=utf-8");
    equal(brotli.headers["cache-control"], "public, max-age=31536000, immutable");
    equal(brotli.body.length < gzip.body.length && gzip.body.length < plain.body.length, true);
    const known = await get(origin + script, { "if-none-match": plain.headers.etag });
    equal([known.status, known.body.length], [304, 0]);
  });
  await check("a screen's address is the page for people; unknown API paths and files stay problems (RFC 9457)", async () => {
    const screen = await get(`${origin}/inventory/abc`, html);
    const program = await get(`${origin}/inventory/abc`, { accept: "*/*" });
    const api = await get(`${origin}/api/v1/nothing`, html);
    const file = await get(`${origin}/static/nothing.js`, html);
    equal([screen, program, api, file].map((answer) => [answer.status, answer.headers["content-type"]]), [
      [200, "text/html; charset=utf-8"],
      [404, "application/problem+json"],
      [404, "application/problem+json"],
      [404, "application/problem+json"],
    ]);
  });
}

async function signIn() {
  const { link } = house;
  await check("whoever is not signed in is shown the door, and what they wanted is kept", async () => {
    await page.goto(`${house.origin}/inventory?q=phi`);
    await page.getByRole("button", { name: "Sign in with a passkey" }).waitFor();
    equal(new URL(page.url()).searchParams.get("next"), "/inventory?q=phi");
    await picture("sign-in");
  });
  await check("the first administrator's link ends in a passkey (WebAuthn), recovery codes and the overview", async () => {
    await page.goto(link);
    await page.getByLabel("Name of this passkey").fill("Test authenticator");
    await picture("welcome");
    await page.getByRole("button", { name: "Make a passkey" }).click();
    await page.getByRole("button", { name: "Sign in with it" }).click();
    await page.getByRole("button", { name: "Make recovery codes" }).click();
    await page.locator(".door-codes li").first().waitFor();
    await page.getByRole("button", { name: "I keep them safe" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    equal(page.url().includes("welcome"), false);
  });
  await check("a link works once", async () => {
    const again = await context.newPage();
    await again.goto(link);
    await again.getByText("This link does not open the door").waitFor();
    await again.close();
  });
  await check("sign out, and in again by the passkey alone", async () => {
    await page.getByRole("button", { name: /^You:/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });
}

async function work() {
  await check("/ searches the inventory, arrows and Enter open a certificate", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("pacs-002");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/inventory\?q=/);
    await page.locator('[role="row"][aria-rowindex="2"]').waitFor();
    await page.getByRole("grid", { name: "Certificates" }).focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /pacs-002/, level: 1 }).waitFor();
    await page.locator(".chain-self").waitFor();
    house.certificate = page.url().split("/").pop();
  });
  await check("its chain leads to the root that the inventory knows, by names of the certificates themselves", async () => {
    await page.locator(".chain-link", { hasText: "Device Root R1" }).waitFor();
    equal(await page.locator(".chain-link").count(), 3);
  });
  await check("the heading has the focus after a change of screen (WCAG 2.4.3)", async () => {
    equal(await page.evaluate(() => document.activeElement?.tagName), "H1");
  });
  await check("a mistake in a search is told with its place and what is accepted", async () => {
    await page.goto(`${house.origin}/inventory?q=phi+and+risk+%3E+grave`);
    const alert = page.getByRole("alert");
    await alert.getByText("none, low, medium, high, critical").waitFor();
    equal(await page.locator(".query-mistake mark").textContent(), "grave");
  });
  await check("Ctrl K finds screens; Escape gives the focus back", async () => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").fill("inven");
    await page.getByRole("option", { name: /Inventory/ }).first().waitFor();
    await picture("palette");
    await page.keyboard.press("Escape");
  });
  await check("the past is a band on every screen, and nothing is offered to change there (R52)", async () => {
    await page.goto(`${house.origin}/inventory?as_of=2026-01-01T00:00:00Z`);
    await page.locator(".past-band").waitFor();
    await page.locator(".empty").waitFor();
    await page.getByRole("link", { name: "Overview", exact: true }).first().click();
    await page.waitForURL(/as_of=/);
    await page.getByRole("button", { name: "Back to now" }).click();
  });
  await check("whoever may manage all of Settings is offered nothing to change there in the past (R52)", async () => {
    const offered = page.getByRole("main").getByRole("button", { name: /^(Add|Change|End|Invite|Make|Sign out|Suspend|Write)\b/ });
    const then = new Date(Date.now() - 1000).toISOString().replace(/\.\d+Z$/, "Z");
    for (const at of ["/settings?", "/settings?tab=people&", "/settings?tab=groups&", "/settings?tab=policies&", "/settings?tab=tokens&", "/settings/people/administrator?"]) {
      await page.goto(house.origin + at.slice(0, -1));
      await offered.first().waitFor();
      await page.goto(`${house.origin}${at}as_of=${then}`);
      await page.locator(".past-band").waitFor();
      await page.locator('.empty, .facts, .settings-table, [role="row"][aria-rowindex="2"]').first().waitFor();
      equal([at, await offered.count(), await page.getByRole("alert").count()], [at, 0, 0]);
    }
  });
  await check("a short table is exported as it stands, instants exact", async () => {
    await page.goto(`${house.origin}/authorities`);
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export Revocation lists as CSV" }).click()]);
    const lines = readFileSync(await file.path(), "utf8").split("\r\n");
    equal([file.suggestedFilename(), lines[0]], ["revocation-lists.csv", "Issuer,List,Freshness,Until,Revoked,Bytes,Published,Where"]);
    equal([lines.length > 2, /,\d{4}-\d{2}-\d{2}T[\d:.]+Z,/.test(lines[1])], [true, true]);
  });
  await check("what is asked to be revoked shows first what stops", async () => {
    await page.goto(`${house.origin}/inventory?q=recorded+and+not+ca`);
    await page.locator('[role="row"][aria-rowindex="2"] input').first().click();
    await page.getByRole("button", { name: "Revoke…" }).click();
    await page.getByRole("heading", { name: "What stops" }).waitFor();
    equal(await page.getByRole("button", { name: /^Revoke 1 certificate/ }).isDisabled(), true);
    await picture("revoke");
    await page.getByRole("button", { name: "Leave it" }).click();
  });
}

async function hostile() {
  await check("hostile names are shown inert, marked and cut", async () => {
    await page.goto(`${house.origin}/inventory?q=owner+%3D+security`);
    await page.locator('[role="row"][aria-rowindex="8"]').waitFor();
    const text = await page.getByRole("grid").innerText();
    for (const part of ["<script>", "<img src=x", "\\u{202e}", "\\u{200b}", "\\00", "=HYPERLINK", "בית חולים מרסי"]) {
      if (!text.includes(part)) throw new Error(`${part} is not shown`);
    }
    if (/[\u202a-\u202e\u2066-\u2069\u200b]/.test(text)) throw new Error("a control character reached the page");
    equal([await page.title(), await page.locator('main img[src="x"], main script').count()], ["\u2068Inventory\u2069 · Ward", 0]);
  });
  await check("10,000 characters neither break the page nor hide", async () => {
    await page.goto(`${house.origin}/inventory?q=subject+~+AAAAAAAAAA`);
    await page.locator('[role="row"][aria-rowindex="2"] a').click();
    await page.getByRole("button", { name: /show [\d,]+ more characters/ }).first().waitFor();
    equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
  });
}

async function picture(name) {
  await page.screenshot({ path: `${PICTURES}${name}.png` });
}

/** Upright A4 with these margins is some 690 pixels wide, and the tightest: tables ask for a page that lies. */
async function onPaper() {
  await page.evaluate(() => localStorage.setItem("ward.scheme", "dark"));
  await page.setViewportSize({ width: 690, height: 1000 });
  for (const name of ["inventory", "certificate", "authorities", "settings-review"]) {
    const screen = SCREENS.find((each) => each.name === name);
    await check(`${name} on paper: dark on white from a dark screen, nothing to navigate by, nothing wider than the page`, async () => {
      await page.goto(house.origin + (typeof screen.path === "function" ? screen.path(house) : screen.path));
      await page.locator(screen.ready).first().waitFor({ timeout: 15_000 });
      await page.emulateMedia({ media: "print" });
      await page.evaluate(() => window.dispatchEvent(new window.Event("beforeprint")));
      const colours = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector("h1")).color]);
      equal(colours, ["rgb(255, 255, 255)", "rgb(18, 34, 42)"]);
      equal(await page.locator(".rail, .bar, .page-actions, .table-bar").filter({ visible: true }).count(), 0);
      equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
      await picture(`paper-${name}`);
    });
  }
  await page.emulateMedia({ media: null });
}

async function everyScreen() {
  const sizes = [["desktop", { width: 1440, height: 900 }], ["phone", { width: 390, height: 844 }]];
  for (const scheme of ["light", "dark"]) {
    await page.evaluate((value) => localStorage.setItem("ward.scheme", value), scheme);
    for (const [size, viewport] of sizes) {
      await page.setViewportSize(viewport);
      for (const screen of SCREENS) {
        const name = `${screen.name}-${scheme}-${size}`;
        await check(`${name}: drawn, no serious finding of axe-core, nothing wider than the window`, async () => {
          const path = typeof screen.path === "function" ? screen.path(house) : screen.path;
          await page.goto(house.origin + path);
          await page.locator(screen.ready).first().waitFor({ timeout: 15_000 });
          await page.evaluate(() => document.fonts.ready);
          await page.waitForTimeout(400);
          await page.screenshot({ path: `${PICTURES}${name}.png`, fullPage: size === "desktop" });
          equal(await axe(context, page), []);
          equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
        });
      }
    }
  }
}
