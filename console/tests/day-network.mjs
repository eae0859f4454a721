// A network engineer's day (R17, R37): which addresses of ICU has nobody ever looked at? Reads, takes the list along, changes nothing.
import { readFileSync } from "node:fs";
import { axe, openBrowser } from "./browser.mjs";
import { day, equal, person as enter, soon } from "./day.mjs";
import { until } from "./house.mjs";

await day("network", async ({ house, page, check, picture, person, api }) => {
  house.run("token", "create", "--name", "second", "--role", "approver", "--days", "1", "--out", `${house.folder}/second`);
  const second = readFileSync(`${house.folder}/second`, "utf8").trim();
  await api("POST", "/api/v1/segments", { name: "icu", ranges: ["127.83.7.0/28"], ports: ["4443/tls"], rate: 50, pause_ms: 0, hours: ["always"], zone: "UTC" });
  await api("POST", "/api/v1/segments/icu/sign", { version: 1, note: "for the tests" }, second);
  await api("POST", "/api/v1/scans", { segment: "icu", ranges: ["127.83.7.0/29"] });
  await until(60, "the scan ends", async () => (await api("GET", "/api/v1/coverage?segment=icu")).segments[0].looked_at === 8);
  await person("nadia", "Nadia Network", "read-only");
  await check("Discovery says how much of ICU somebody has looked at", async () => {
    await page.getByRole("link", { name: "Discovery", exact: true }).first().click();
    const card = page.locator(".coverage-card", { hasText: "icu" });
    await card.getByText("50 %").waitFor();
    await card.getByText("8 of 16 addresses never looked at").waitFor();
    await picture("coverage");
  });
  await check("which addresses those are, and who looked at the others when", async () => {
    const table = page.getByRole("grid", { name: "Addresses of icu" });
    await table.getByRole("row", { name: /127\.83\.7\.8\/29.*never looked at/ }).waitFor();
    await table.getByRole("row", { name: /127\.83\.7\.0\/29.*looked at.*UTC.*tests/ }).waitFor();
  });
  await check("only those that were never looked at are exported, as a spreadsheet reads them", async () => {
    await page.goto(`${house.origin}/discovery?segment=icu&what=never`);
    await page.getByRole("button", { name: "Export" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: /loaded rows/ }).click();
    const lines = readFileSync(await (await download).path(), "utf8").trim().split("\r\n");
    equal([lines.length, lines[1]], [2, "127.83.7.8/29,8,never looked at,,,,"]);
  });
  await check("nothing is offered to change: neither scans nor waivers (R37)", async () => {
    await page.goto(`${house.origin}/discovery?tab=scans`);
    await page.getByRole("grid", { name: "Scans" }).getByRole("row", { name: /icu.*done/ }).waitFor();
    equal(await page.getByRole("button", { name: /^(Scan|Stop)$/ }).count(), 0);
    await picture("scans");
    await page.goto(`${house.origin}/findings`);
    await page.locator('[role="row"][aria-rowindex="2"]').waitFor();
    equal(await page.locator('.table-body input[type="checkbox"]').count(), 0);
  });
  await check("nor does the API let them, whatever a page offers", async () => {
    const status = await page.evaluate(async () => {
      const { csrf } = await (await fetch("/api/v1/session")).json();
      const headers = { "content-type": "application/json", "x-ward-csrf": csrf };
      return (await fetch("/api/v1/scans", { method: "POST", headers, body: JSON.stringify({ segment: "icu" }) })).status;
    });
    equal(status, 403);
  });
  await check("segments and the tree of the house are there to be read", async () => {
    await page.goto(`${house.origin}/discovery?tab=segments`);
    await page.getByRole("row", { name: /icu.*signed/ }).waitFor();
    await page.goto(`${house.origin}/topology`);
    await page.getByRole("treeitem").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.locator('[role="treeitem"][aria-level="2"]').first().waitFor();
    await picture("topology");
  });
  await check("who may see a part of the house is offered the screens that show it, and no other", async () => {
    // At a browser of their own: two passkeys in one authenticator are a choice, and nobody is there to make it.
    const theirs = await openBrowser();
    try {
      await enter(house, theirs.page, "piet", "Piet Part", "clinical-engineering@segment=icu");
      await part(house.origin, theirs);
      equal([theirs.wrong, theirs.outside], [[], []]);
    } finally {
      await theirs.close();
    }
  });
});

async function part(origin, { context, page }) {
  await page.goto(`${origin}/`);
  await page.getByRole("region", { name: "What ends within 90 days" }).waitFor();
  await page.getByRole("heading", { name: "Your part on other screens" }).waitFor();
  const links = page.getByRole("navigation", { name: "Screens" }).getByRole("link");
  await soon(() => links.allInnerTexts(), ["Overview", "Requests", "Inventory", "Assets", "Discovery", "Topology", "Authorities", "Settings"]);
  equal(await axe(context, page), []);
  await links.filter({ hasText: "Inventory" }).click();
  await page.getByText("Every certificate in your part of the house").waitFor();
  equal(await page.getByRole("alert").count(), 0);
  await links.filter({ hasText: "Topology" }).click();
  await page.getByRole("treeitem").first().waitFor();
  equal(await page.getByRole("alert").count(), 0);
  await links.filter({ hasText: "Discovery" }).click();
  await page.locator(".coverage-card", { hasText: "icu" }).waitFor();
  equal(await page.getByRole("alert").count(), 0);
}
