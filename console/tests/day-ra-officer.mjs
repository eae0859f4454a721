// The RA officer's morning: a device that waits is compared with the register and let in, another is sent away, and what the
// officer asked for waits for somebody else, who looks at an emergency afterwards (R07).
import { day, equal, soon } from "./day.mjs";
import { call, enrol, furnish } from "./furnish.mjs";

/** Other people, who work at the command line. */
function token(house, name, role) {
  return /ward_[A-Za-z0-9_-]+/.exec(house.run("token", "create", "--name", name, "--person", "--role", role, "--days", "1"))[0];
}

await day("ra-officer", async ({ house, page, check, picture, person }) => {
  await furnish(house);
  await call(house, "POST", "/api/v1/approval-policies", { name: "stores", action: "manage-assets", asker: "ra-officer", needed: 1, hours: 24, emergency: true });
  const [ines, ada] = [["ines", "ra-officer"], ["ada", "approver"]].map(([name, role]) => token(house, name, role));
  await person("rolf", "Rolf Adler", "ra-officer");
  await check("what waits for him stands first, devices among it", async () => {
    await page.goto(`${house.origin}/requests`);
    await page.getByRole("row", { name: /SN-4720/ }).waitFor();
    equal(await page.getByRole("link", { name: /^For me/ }).getAttribute("aria-current"), "page");
    await picture("for-me");
  });
  await check("one request from the keyboard: who the device says it is, beside what the register knows", async () => {
    await page.goto(`${house.origin}/requests?show=for-me&kind=device`);
    await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
    const grid = page.getByRole("grid", { name: "Requests" });
    await grid.focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/requests\/r[0-9a-f]{16}/);
    await page.goto(`${house.origin}/requests/${house.waiting.known}`);
    await page.getByText("in the register", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Fluidic Drip 3" }).waitFor();
    await picture("device");
  });
  await check("he says something, and approves; the certificate is issued", async () => {
    await page.getByLabel("Say something").fill("Seen on ward 7, label matches.");
    await page.getByRole("button", { name: "Say it" }).click();
    await page.locator(".requests-words", { hasText: "Seen on ward 7" }).waitFor();
    await page.getByLabel("Why").fill("seen, label matches");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("The device gets its certificate when it asks again").waitFor();
    await picture("approved");
  });
  await check("the device asks again and gets it (RFC 7030 §4.2.3)", async () => {
    equal((await enrol(house, "quarantine", house.asking.known)).status, 200);
    await page.reload();
    await page.getByRole("link", { name: "See the certificate" }).waitFor();
  });
  await check("who is not in the register is sent away, with a reason and not without", async () => {
    await page.goto(`${house.origin}/requests/${house.waiting.unknown}`);
    await page.getByText("not in the register", { exact: true }).waitFor();
    equal(await page.getByRole("button", { name: "Deny" }).isDisabled(), true);
    await page.getByLabel("Why").fill("nobody knows this device");
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByText("It is decided.").waitFor();
    await soon(async () => (await call(house, "GET", `/api/v1/requests/${house.waiting.unknown}`)).state, "denied");
  });
  await check("a held change shows each value as it is and as it would be", async () => {
    await page.goto(`${house.origin}/requests/${house.held}`);
    await page.getByRole("row", { name: /rate 5 20/ }).waitFor();
    await page.getByText("0 of 2 agreed").waitFor();
    await picture("change");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("1 of 2 agreed").waitFor();
  });
  let own;
  await check("what he does himself waits for somebody else; nobody decides about their own", async () => {
    await page.goto(`${house.origin}/assets/SN-4715`);
    await page.getByRole("button", { name: "Retire…" }).click();
    await page.getByLabel("Why").fill("fell down the stairs");
    await page.getByLabel(/I have read what it does/).check();
    await page.getByRole("button", { name: "Retire it" }).click();
    await page.getByText("Somebody else has to agree first").waitFor();
    await page.goto(`${house.origin}/requests?show=mine`);
    await page.locator('[role="row"][aria-rowindex="2"] a').click();
    await page.getByText("nobody decides about their own request").waitFor();
    own = page.url().split("/").pop();
    await soon(() => page.getByRole("button", { name: "Approve" }).count(), 0);
    const refused = await page.evaluate(async (id) => {
      const { csrf } = await (await fetch("/api/v1/session")).json();
      const answer = await fetch(`/api/v1/requests/${id}/approve`, { method: "POST", headers: { "content-type": "application/json", "x-ward-csrf": csrf }, body: "{}" });
      return [answer.status, (await answer.json()).rule];
    }, own);
    equal(refused, [403, "request.own"]);
  });
  await check("it cannot wait: he goes ahead with a reason, and others have to look at it", async () => {
    await page.getByRole("button", { name: "It cannot wait…" }).click();
    await page.getByLabel("Why it cannot wait").fill("the next patient is on the table");
    await page.getByRole("button", { name: "Go ahead" }).click();
    await page.getByText("to be reviewed", { exact: true }).waitFor();
    await soon(async () => (await call(house, "GET", "/api/v1/assets/SN-4715")).asset.state, "retired");
    await picture("emergency");
  });
  await check("what somebody else did in an emergency he reviews afterwards", async () => {
    const { request } = await call(house, "POST", "/api/v1/assets/SN-4716/retire", { reason: "flooded" }, ines);
    await call(house, "POST", `/api/v1/requests/${request}/emergency`, { reason: "water in the store room" }, ines);
    await page.goto(`${house.origin}/requests/${request}`);
    await page.getByText("It was done in an emergency").waitFor();
    await page.getByText("water in the store room").waitFor();
    await page.getByLabel("Why").fill("right, it was under water");
    await page.getByRole("button", { name: "It was right" }).click();
    await page.getByText("reviewed", { exact: true }).first().waitFor();
    await picture("reviewed");
  });
  await check("another person's word makes the change that he agreed to before, and his page says so by itself", async () => {
    await page.goto(`${house.origin}/requests/${house.held}`);
    await page.getByText("1 of 2 agreed").waitFor();
    await call(house, "POST", `/api/v1/requests/${house.held}/approve`, {}, ada);
    await page.getByText("done", { exact: true }).first().waitFor({ timeout: 20_000 });
    await soon(async () => (await call(house, "GET", "/api/v1/segments/icu")).segment.rate, 20);
  });
});
