// The auditor's day: last March, one event, its proof computed in the page; and a server that lies is caught (R36, R52).
import { day, equal } from "./day.mjs";

await day("auditor", async ({ house, page, check, picture, person, api }) => {
  await person("noor", "Noor Haddad", "auditor");
  const now = new Date();
  const march = `${now.getUTCMonth() > 2 ? now.getUTCFullYear() : now.getUTCFullYear() - 1}-03-31`;
  const { events } = await api("GET", "/api/v1/audit/events?action=token.create");
  const seq = events[0].seq;
  const proofs = "**/api/v1/audit/proofs/*";
  const verify = async () => {
    await page.goto(`${house.origin}/audit/${seq}`);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.locator(".audit-verdict").waitFor();
  };
  const lies = async (pattern, change) => {
    await page.route(pattern, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: change(await answer.json()) });
    });
    await verify();
    await page.unroute(pattern);
    equal(await page.getByText("It does not hold.").count(), 1);
    return page.locator(".audit-step-refused h3").innerText();
  };

  await check("last March, before this log began, is said to be so, and nothing is made up", async () => {
    await page.goto(`${house.origin}/audit`);
    await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
    await page.getByRole("button", { name: "As of now" }).click();
    await page.getByLabel("Show everything as it was").fill(march);
    await page.getByRole("button", { name: "Go there" }).click();
    await page.getByRole("heading", { name: "The log had not begun" }).waitFor();
    equal(await page.locator(".past-band").count(), 1);
    await picture("march");
    await page.getByRole("button", { name: "Back to now" }).click();
  });
  await check("filters find who did what, and stand in the address", async () => {
    await page.getByLabel("What", { exact: true }).fill("token");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForURL(/action=token/);
    await page.getByRole("row", { name: /token\.create/ }).first().waitFor();
    await picture("log");
  });
  await check("one event is verified in the page, step by step, and the checkpoint is kept", async () => {
    await verify();
    equal(await page.locator(".audit-steps .status").allInnerTexts(), ["holds", "holds", "holds", "holds", "holds", "nothing to compare"]);
    await picture("proof");
  });
  await check("the next time the log has to be a continuation of what was kept", async () => {
    await api("POST", "/api/v1/groups", { name: "later", grants: [] });
    await verify();
    equal(await page.locator(".audit-steps .status").allInnerTexts(), ["holds", "holds", "holds", "holds", "holds", "holds"]);
  });
  await check("a record with one letter changed is refused", async () => {
    equal(await lies(proofs, (proof) => ({ ...proof, entry: proof.entry.replace("token", "tokem") })), "The record");
    await picture("refused");
  });
  await check("so is one whose leaf was changed along with it", async () => {
    const { createHash } = await import("node:crypto");
    const leafOf = (entry) => createHash("sha256").update("\0").update(entry).digest("hex");
    const changed = (proof) => proof.entry.replace("token", "tokem");
    equal(await lies(proofs, (proof) => ({ ...proof, entry: changed(proof), leaf: leafOf(changed(proof)) })), "The way to the root");
  });
  await check("so is a checkpoint with another root, and a log that was rewritten since", async () => {
    equal(await lies(proofs, (proof) => ({ ...proof, checkpoint: proof.checkpoint.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`) })), "The signature");
    await api("POST", "/api/v1/groups", { name: "later-still", grants: [] });
    equal(await lies("**/api/v1/audit/consistency*", (growth) => ({ ...growth, path: growth.path.map(() => "0".repeat(64)) })), "Since the checkpoint that was kept");
  });
  await check("so is a true proof of another record than the one that is shown", async () => {
    await page.route(proofs, async (route) => {
      const answer = await route.fetch();
      const proof = await answer.json();
      await route.fulfill({ response: answer, json: { ...proof, entry: proof.entry.replace("token", "tokem") } });
    });
    await page.goto(`${house.origin}/audit/${seq}`);
    await page.getByRole("heading", { name: /tokem/ }).waitFor();
    await page.unroute(proofs);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByText("is not the one that it showed").waitFor();
  });
  await check("an answer that does not come is no verdict", async () => {
    await page.goto(`${house.origin}/audit/${seq}`);
    await page.getByRole("button", { name: "Verify", exact: true }).waitFor();
    await page.route(proofs, (route) => route.abort());
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByRole("alert").getByText("Ward cannot be reached").waitFor();
    await page.unroute(proofs);
    equal(await page.locator(".audit-verdict").count(), 0);
  });
  await check("the auditor reads the access review, and is offered no change", async () => {
    await page.goto(`${house.origin}/settings?tab=review`);
    await page.getByRole("row", { name: /noor/ }).waitFor();
    await picture("review");
    await page.goto(`${house.origin}/settings?tab=people`);
    await page.getByRole("row", { name: /Noor Haddad/ }).waitFor();
    equal(await page.getByRole("button", { name: "Write somebody down" }).count(), 0);
  });
});
