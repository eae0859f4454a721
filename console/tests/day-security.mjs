// The security officer's day: in with a recovery code, a search, a range of rows, what stops, the passkey, a mass revocation
// that tells how far it is (R15, R35); and one that waits for somebody else.
import { execFileSync } from "node:child_process";
import { day, equal, soon } from "./day.mjs";
import { until } from "./house.mjs";

const COUNT = 8;

function request(name) {
  const made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  return execFileSync("openssl", made, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

await day("security", async ({ house, page, check, picture, person, api }) => {
  for (let number = 1; number <= COUNT; number += 1) await api("POST", "/api/v1/certificates", { profile: "server-tls", csr: request(`gateway-${number}.mercy.example`) });
  await person("sam", "Sam Okafor", "security");
  const list = `${house.origin}/inventory?q=name+~+gateway-`;
  const row = (number) => page.locator(`[role="row"][aria-rowindex="${number + 1}"]`);
  const revoked = async () => (await api("GET", "/api/v1/inventory?q=name+~+gateway-&limit=50")).certificates.filter((each) => each.revoked !== null).length;

  await check("a recovery code lets in once, and is no step-up (R35)", async () => {
    const code = /(?:[A-Za-z0-9]+-){3,}[A-Za-z0-9]+/.exec(house.run("person", "recovery", "sam", "--yes"))?.[0];
    await page.getByRole("button", { name: /^You:/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "I lost my passkey" }).click();
    await page.getByLabel("Your id").fill("sam");
    await page.getByLabel("Recovery code").fill(code);
    await picture("recovery");
    await page.getByRole("button", { name: "Use the code" }).click();
    await page.getByRole("heading", { name: "Make your passkey" }).waitFor();
    await page.goto(`${house.origin}/settings`);
    await page.getByText("9 left").waitFor();
  });
  await until(10, "the inventory has followed the log", async () => (await api("GET", "/api/v1/inventory?q=name+~+gateway-&limit=50")).certificates.length === COUNT);
  await check("a range is from the row that was clicked last to this one, both included", async () => {
    await page.goto(list);
    await row(COUNT).waitFor();
    await row(3).getByRole("checkbox").click();
    await row(6).getByRole("checkbox").click({ modifiers: ["Shift"] });
    await page.getByText("4 selected").waitFor();
    equal(await page.locator('[role="row"][aria-selected="true"]').evaluateAll((rows) => rows.map((each) => each.ariaRowIndex)), ["4", "5", "6", "7"]);
  });
  await check("Escape lets go; all of the search are selected, and the dry run says what stops and changes nothing", async () => {
    await page.getByRole("grid", { name: "Certificates" }).focus();
    await page.keyboard.press("Escape");
    await page.getByRole("checkbox", { name: "Select all that are loaded" }).click();
    await page.getByRole("button", { name: "Revoke…" }).click();
    await page.getByRole("heading", { name: "What stops" }).waitFor();
    await page.locator(".radius-figures").getByText(String(COUNT), { exact: true }).first().waitFor();
    equal(await page.getByRole("button", { name: `Revoke ${COUNT} certificates` }).isDisabled(), true);
    await picture("blast-radius");
    equal(await revoked(), 0);
  });
  await check("the revocation asks for the passkey; without it nothing is done", async () => {
    await page.getByLabel("Why").fill("INC-4711: the gateways' vendor lost its keys");
    await page.getByRole("checkbox", { name: /I have read what stops/ }).check();
    await page.getByRole("button", { name: `Revoke ${COUNT} certificates` }).click();
    await page.getByText("Confirm that it is you").waitFor();
    await picture("step-up");
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByRole("alert").first().waitFor();
    equal(await revoked(), 0);
  });
  await check("with it, all are revoked, and the window says how far it is", async () => {
    await page.getByRole("button", { name: `Revoke ${COUNT} certificates` }).click();
    await page.getByRole("button", { name: "Use passkey" }).click();
    await page.getByText("All are through.").waitFor({ timeout: 30_000 });
    await page.getByText(`${COUNT} done`).waitFor();
    await picture("done");
    await soon(revoked, COUNT);
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
  });
  await check("each is an event with the job as its request, by sam as security (R36)", async () => {
    const { events } = await api("GET", "/api/v1/audit/events?action=certificate.revoke&actor=sam&outcome=done&limit=50");
    equal([events.length, new Set(events.map((each) => each.request)).size], [COUNT, 1]);
  });
  await check("under a policy it waits for somebody else, and says so (R07)", async () => {
    await api("POST", "/api/v1/certificates", { profile: "server-tls", csr: request("portal-9.mercy.example") });
    await api("POST", "/api/v1/approval-policies", { name: "revocation", action: "revoke-certificate", needed: 1, hours: 24 });
    const found = async () => (await api("GET", "/api/v1/inventory?q=name+%3D+portal-9.mercy.example")).certificates.length === 1;
    await until(10, "the inventory has followed the log", found);
    await page.goto(`${house.origin}/inventory?q=name+%3D+portal-9.mercy.example`);
    await row(1).locator("a").first().click();
    await page.getByText("Reading it takes read-audit, which your roles do not have.").waitFor();
    await page.getByRole("button", { name: "Revoke…" }).click();
    await page.getByRole("button", { name: "Revoke for good" }).click();
    await page.getByText("It waits for approval as").first().waitFor();
    await picture("waits");
    const { certificates } = await api("GET", "/api/v1/inventory?q=name+%3D+portal-9.mercy.example");
    equal(certificates[0].revoked, null);
  });
});
