// What goes through several hands: a certificate is renewed from its page, a spare is taken out after somebody agreed, and a
// revocation that a policy holds back is handed on to a deputy, whose word lets it go on (R07, R35).
import { openBrowser } from "./browser.mjs";
import { day, equal, person as enter, soon } from "./day.mjs";
import { furnish } from "./furnish.mjs";
import { until } from "./house.mjs";
import { execFileSync } from "node:child_process";

const GATEWAY = "/api/v1/inventory?q=name+%3D+gateway-1.mercy.example";

function request(name) {
  const made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  return execFileSync("openssl", made, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

await day("hands", async ({ house, page, check, picture, person, api }) => {
  const { origin } = house;
  const wrong = [];
  /** Somebody else, at a browser of their own. */
  const other = async (id, live) => {
    const theirs = await openBrowser();
    try {
      await enter(house, theirs.page, id);
      await live(theirs.page);
      wrong.push(...theirs.wrong, ...theirs.outside);
    } finally {
      await theirs.close();
    }
  };
  await furnish(house);
  for (const [id, full, role] of [["ada", "Ada Sommer", "approver"], ["bea", "Bea Lindt", "approver"], ["dora", "Dora Keller", "approver"], ["emil", "Emil Roth", "auditor"]]) house.run("person", "create", id, "--name", full, "--grant", role);
  await api("POST", "/api/v1/certificates", { profile: "server-tls", csr: request("gateway-1.mercy.example") });
  await person("rolf", "Rolf Adler", "ra-officer");
  // In by a code, which is no step-up: what weighs much asks for the passkey.
  const code = /(?:[A-Za-z0-9]+-){3,}[A-Za-z0-9]+/.exec(house.run("person", "recovery", "rolf", "--yes"))[0];
  await page.getByRole("button", { name: /^You:/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "I lost my passkey" }).click();
  await page.getByLabel("Your id").fill("rolf");
  await page.getByLabel("Recovery code").fill(code);
  await page.getByRole("button", { name: "Use the code" }).click();
  await page.getByRole("heading", { name: "Make your passkey" }).waitFor();

  /** The one thing that is left to press has the focus by itself. */
  const pressed = (name) => until(10, `${name} has the focus`, () => page.evaluate((wanted) => document.activeElement?.textContent === wanted, name));
  await check("the pump's certificate is renewed from its page: the same names, a key that is shown once, the old one in force", async () => {
    const [{ sha256 }] = await api("GET", `/api/v1/assets/${house.pump}/holdings`);
    await page.goto(`${origin}/inventory/${sha256}`);
    await page.getByRole("button", { name: "Renew…" }).click();
    await pressed("Renew");
    await page.getByRole("heading", { name: /^What stops on \d{4}-\d{2}-\d{2}, unless the new one is in its place$/ }).waitFor();
    await page.getByText("a new one (ecdsa-p256), made here, shown once and kept nowhere").waitFor();
    await picture("renew");
    await page.keyboard.press("Enter");
    await page.getByText("The private key is shown this once.").waitFor();
    await picture("renewed");
    const open = page.getByRole("link", { name: "Open it" });
    const renewed = (await open.getAttribute("href")).split("/").pop();
    const [before, after] = [await api("GET", `/api/v1/certificates/${sha256}`), await api("GET", `/api/v1/certificates/${renewed}`)];
    equal([after.subject, after.names, after.profile], [before.subject, before.names, before.profile]);
    equal([renewed === sha256, after.serial === before.serial, before.revoked ?? null], [false, false, null]);
  });
  await check("what keeps patients alive is not revoked by one press: what stops has to be ticked first", async () => {
    const [{ sha256 }] = await api("GET", `/api/v1/assets/${house.pump}/holdings`);
    await page.goto(`${origin}/inventory/${sha256}`);
    await page.getByRole("button", { name: "Revoke…" }).click();
    await page.getByText("protects what keeps patients alive").waitFor();
    const tick = page.getByRole("checkbox", { name: /I have read what stops/ });
    await until(10, "the tick has the focus", () => tick.evaluate((element) => element === document.activeElement));
    equal(await page.getByRole("button", { name: "Revoke for good" }).isDisabled(), true);
    await picture("revoke-grave");
    await page.keyboard.press("Space");
    equal(await page.getByRole("button", { name: "Revoke for good" }).isDisabled(), false);
    await page.getByRole("button", { name: "Leave it" }).click();
    equal((await api("GET", `/api/v1/certificates/${sha256}`)).state, "issued");
  });
  await check("where the profile lets Ward make no key, its page says why and takes the device's request", async () => {
    const sdc = { profile: "sdc-provider", subject: "CN=monitor 4,serialNumber=M-0004", names: ["uri:urn:uuid:6c9b36f0-0d0c-4f0e-9a3d-0a4f7a6f8a11"] };
    const { sha256 } = await api("POST", "/api/v1/certificates", { ...sdc, csr: request("monitor-4") });
    await until(10, "the inventory has followed the log", async () => (await api("GET", `/api/v1/inventory?q=sha256+%3D+${sha256}`)).certificates.length === 1);
    await page.goto(`${origin}/inventory/${sha256}`);
    await page.getByRole("button", { name: "Renew…" }).click();
    await page.getByText("wants keys made where they are used").waitFor();
    equal(await page.getByRole("button", { name: "Renew", exact: true }).isDisabled(), true);
    await picture("renew-request");
    await page.keyboard.insertText(request("monitor-4"));
    await page.getByRole("button", { name: "Renew", exact: true }).click();
    await page.getByRole("link", { name: "Open it" }).waitFor();
    equal(await page.getByText("The private key is shown this once.").count(), 0);
  });
  await check("where the profile asks for evidence, so does the page, and the new certificate has it", async () => {
    const mail = { profile: "smime", subject: "CN=Ada Sommer", names: ["email:ada.sommer@mercy.example"], evidence: [{ kind: "ticket", text: "CHG-7" }], generate: "ecdsa-p256" };
    const { sha256 } = await api("POST", "/api/v1/certificates", mail);
    await until(10, "the inventory has followed the log", async () => (await api("GET", `/api/v1/inventory?q=sha256+%3D+${sha256}`)).certificates.length === 1);
    await page.goto(`${origin}/inventory/${sha256}`);
    await page.getByRole("button", { name: "Renew…" }).click();
    await until(10, "the evidence has the focus", () => page.getByLabel("What speaks for it").evaluate((element) => element === document.activeElement));
    equal(await page.getByRole("button", { name: "Renew", exact: true }).isDisabled(), true);
    await page.keyboard.type("CHG-8, seen at the front desk");
    await picture("renew-evidence");
    await page.getByRole("button", { name: "Renew", exact: true }).click();
    await page.getByRole("link", { name: "Open it" }).waitFor();
    const { events } = await api("GET", "/api/v1/audit/events?action=certificate.issue&actor=rolf&outcome=done&limit=1");
    equal(events[0].after.evidence, [{ kind: "note", text: "CHG-8, seen at the front desk" }]);
    await page.getByRole("link", { name: "Open it" }).click();
  });
  const spares = async () => (await api("GET", "/api/v1/spares"))[0];
  await check("he asks for the pump's spare, and cannot take it out by himself", async () => {
    const spare = await spares();
    await page.goto(`${origin}/assets/${spare.asset}`);
    await page.getByRole("button", { name: "Ask for it…" }).click();
    await page.getByLabel("Who puts it in").fill("Rolf Adler");
    await page.getByLabel("Why").fill("the board of the other one is burnt");
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.getByText(/It waits as/).waitFor();
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await page.getByRole("link", { name: "waits for approval" }).waitFor();
    await soon(() => page.getByRole("button", { name: "Take it out…" }).count(), 0);
  });
  await check("another agrees, and his page offers it by itself", async () => {
    const { request: waiting } = await spares();
    await other("ada", async (hers) => {
      await hers.goto(`${origin}/requests/${waiting}`);
      await hers.getByText("whoever asked may take the spare out, once").waitFor();
      await hers.getByRole("button", { name: "Approve" }).click();
      await until(10, "it is approved", async () => (await api("GET", `/api/v1/requests/${waiting}`)).state === "approved");
    });
    await page.getByRole("button", { name: "Take it out…" }).waitFor({ timeout: 20_000 });
  });
  await check("it comes out with his passkey and not without, once, as a file and a password", async () => {
    await page.getByRole("button", { name: "Take it out…" }).click();
    await page.getByRole("button", { name: "Take it out", exact: true }).click();
    await page.getByText("Confirm that it is you").waitFor();
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByRole("alert").first().waitFor();
    equal((await spares()).state, "prepared");
    await page.getByRole("button", { name: "Take it out", exact: true }).click();
    await page.getByRole("button", { name: "Use passkey" }).click();
    await page.getByText("Both are shown this once.").waitFor();
    await picture("spare");
    const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the file (PKCS #12)" }).click()]);
    equal(saved.suggestedFilename().endsWith(".p12"), true);
    const password = await page.getByRole("dialog").locator("p", { hasText: "Password" }).locator("bdi, span").last().innerText();
    execFileSync("openssl", ["pkcs12", "-in", await saved.path(), "-noout", "-passin", `pass:${password}`], { stdio: "ignore" });
    await soon(async () => (await spares()).state, "released");
    await page.getByRole("button", { name: "I have both" }).click();
    await soon(() => page.getByRole("button", { name: "Take it out…" }).count(), 0);
  });
  const revoked = async () => (await api("GET", GATEWAY)).certificates[0].revoked !== null;
  let held;
  await check("a revocation that a policy catches waits, and nothing is revoked", async () => {
    await until(10, "the inventory has followed the log", async () => (await api("GET", GATEWAY)).certificates.length === 1);
    await api("POST", "/api/v1/approval-policies", { name: "revocation", action: "revoke-certificate", needed: 1, hours: 24 });
    await page.goto(`${origin}/inventory/${(await api("GET", GATEWAY)).certificates[0].sha256}`);
    await page.getByRole("button", { name: "Revoke…" }).click();
    await pressed("Revoke for good");
    await page.getByRole("heading", { name: "What stops" }).waitFor();
    equal(await page.getByRole("combobox", { name: "Reason" }).inputValue(), "Superseded: another certificate took its place");
    await picture("revoke");
    await page.keyboard.press("Enter");
    await page.getByText("It waits for approval as").first().waitFor();
    await picture("held");
    const { events } = await api("GET", "/api/v1/audit/events?action=request&actor=rolf&limit=50");
    held = events[0].object.id;
    equal(await revoked(), false);
    await page.goto(`${origin}/requests/${held}`);
    await page.getByText("nobody decides about their own request").waitFor();
  });
  await check("whoever was to decide hands it on, and decides no more", async () => {
    await other("bea", async (hers) => {
      await hers.goto(`${origin}/requests/${held}`);
      await hers.getByRole("button", { name: "Hand on…" }).click();
      await hers.getByLabel("To whom").fill("emil");
      await hers.getByRole("button", { name: "Hand on", exact: true }).click();
      await hers.getByRole("alert").first().waitFor();
      await hers.getByLabel("To whom").fill("dora");
      await hers.getByRole("button", { name: "Hand on", exact: true }).click();
      await hers.getByText("It does not wait for you").waitFor();
      await soon(() => hers.getByRole("button", { name: "Approve" }).count(), 0);
    });
    equal([(await api("GET", `/api/v1/requests/${held}`)).state, await revoked()], ["pending", false]);
  });
  await check("the deputy's word lets it go on: it is revoked, as his, and his page says so by itself", async () => {
    await other("dora", async (hers) => {
      await hers.goto(`${origin}/requests?show=for-me`);
      await hers.locator(`a[href*="${held}"]`).first().click();
      await hers.getByRole("button", { name: "Approve" }).click();
      await hers.getByText("It is decided.").waitFor();
    });
    await page.getByText("done", { exact: true }).first().waitFor({ timeout: 20_000 });
    await picture("gone-on");
    await until(20, "it is revoked", revoked);
    const { events } = await api("GET", "/api/v1/audit/events?action=certificate.revoke&actor=rolf&outcome=done&limit=50");
    equal(events.length, 1);
  });
  await check("no page of the others wrote an error either", () => equal(wrong, []));
});
