// The auditor's day: a house that began last March; what was true at the end of that month, one event of it, its proof computed
// in the page; and a server that lies is caught (R36, R52).
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { day, equal, soon } from "./day.mjs";
import { until } from "./house.mjs";

const now = new Date();
/** The last year in which May is over, too. */
const year = now.getUTCMonth() > 4 ? now.getUTCFullYear() : now.getUTCFullYear() - 1;
const END_OF_MARCH = `${year}-03-31`;
const lived = {};

/**
 * March: two certificates and a device, while Ward runs; somebody comes, and what they do has to be agreed to. May: one
 * certificate is revoked for another, they leave, the policy grows stricter, an authority retires. Then Ward is off until now.
 */
async function live({ at, folder }) {
  const issue = (run, name) => {
    const file = join(folder, `${name}.pem`);
    run("cert", "issue", "--profile", "dicom-node", "--generate", "--name", `dns:${name}.mercy.example`, "--out", file);
    // The key stands before the certificate.
    return new X509Certificate(readFileSync(file, "utf8").replace(/[^]*?(?=-----BEGIN CERTIFICATE-----)/, ""));
  };
  const known = (run, certificate) => until(20, "the inventory has followed the log", () => run("inventory", "search", `sha256 = ${sha256(certificate)} and not revoked`).includes("Mercy"));
  const march = at(`${year}-03-18T09:00:00Z`);
  march.run("group", "create", "ra", "--grant", "ra-officer");
  march.run("person", "create", "mila", "--name", "Mila Novak", "--group", "ra");
  march.run("policy", "create", "ending", "--action", "revoke-certificate", "--needed", "1", "--hours", "24");
  await march.serve(async () => {
    lived.archive = issue(march.run, "archive");
    lived.mirror = issue(march.run, "mirror");
    march.run("device", "add", "--serial", "SN-4711", "--manufacturer", "Fluidic", "--model", "Drip 3", "--segment", "icu");
    await known(march.run, lived.mirror);
  });
  const may = at(`${year}-05-09T09:00:00Z`);
  may.run("person", "leave", "mila", "--why", "end of contract");
  may.run("group", "remove", "ra");
  may.run("policy", "change", "ending", "--needed", "2");
  may.run("ca", "retire", "people", "--why", "merged", "--yes");
  await may.serve(async () => {
    may.run("cert", "revoke", join(folder, "archive.pem"), "--reason", "keyCompromise", "--why", "its host was copied");
    lived.successor = issue(may.run, "archive-2");
    await known(may.run, lived.successor);
  });
}

const sha256 = (certificate) => certificate.fingerprint256.replaceAll(":", "").toLowerCase();

/** The certificate that a listener shows. */
function shown(origin) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "localhost", port: Number(new URL(origin).port), rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

await day("auditor", async ({ house, page, check, picture, person, api }) => {
  await person("noor", "Noor Haddad", "auditor");
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

  const goTo = async (instant) => {
    await page.getByRole("button", { name: /^As of/ }).click();
    await page.getByLabel("Show everything as it was").fill(instant);
    await page.getByRole("button", { name: "Go there" }).click();
    await page.waitForURL((url) => url.searchParams.get("as_of")?.startsWith(instant.slice(0, 10)));
  };
  const screen = async (name) => {
    await page.getByRole("navigation", { name: "Screens" }).getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    equal(await page.locator(".past-band").count(), 1);
  };
  const state = (name) => page.getByRole("row", { name: new RegExp(`${name}\\.mercy\\.example`) }).locator('[data-label="State"]').innerText();
  const listed = async (count) => until(10, `${count} certificates are listed`, async () => (await page.locator('[role="row"][aria-rowindex]:not([aria-rowindex="1"])').count()) === count);

  await check("a Ward that was away for months came up with a certificate and revocation lists of now (RFC 5280 §5.1.2)", async () => {
    const own = await shown(house.origin);
    equal([Date.parse(own.validFrom) > now.getTime() - 3_600_000, Date.parse(own.validTo) > Date.now()], [true, true]);
    const openssl = (...args) => execFileSync("openssl", args, { encoding: "utf8" });
    const [address] = /http:\S+\.crl/.exec(openssl("x509", "-in", join(house.folder, "archive.pem"), "-noout", "-ext", "crlDistributionPoints"));
    const list = join(house.folder, "archive.crl");
    writeFileSync(list, Buffer.from(await (await fetch(address)).arrayBuffer()));
    const said = openssl("crl", "-inform", "DER", "-in", list, "-noout", "-text");
    equal([Date.parse(/Last Update: (.+)/.exec(said)[1]) > now.getTime() - 3_600_000, Date.parse(/Next Update: (.+)/.exec(said)[1]) > Date.now()], [true, true]);
    equal([said.includes(lived.archive.serialNumber), said.includes(lived.mirror.serialNumber)], [true, false]);
  });
  await check("last March the certificate that was revoked in May was in force, and its successor not there yet", async () => {
    await page.goto(`${house.origin}/inventory?q=name+~+archive`);
    await listed(2);
    await soon(() => state("archive"), "revoked");
    await goTo(END_OF_MARCH);
    await listed(1);
    await soon(() => state("archive"), "in 11 months");
    await picture("march-inventory");
  });
  await check("its own page says so as well, and what came after", async () => {
    await page.getByRole("link", { name: /archive/ }).first().click();
    await page.locator(".chain-self").waitFor();
    const said = await page.locator(".strip").innerText();
    equal([/\d+ days left/.test(said), said.includes(`revoked later, on ${year}-05-09`)], [true, true]);
    equal(await page.getByRole("button", { name: /Renew|Revoke/ }).count(), 0);
    await picture("march-certificate");
    await goTo(`${year}-05-31`);
    await page.locator(".strip").getByText(/^revoked 2\d days ago$/).waitFor();
    await goTo(END_OF_MARCH);
  });
  await check("what was done to it: issued by then, revoked since, each a line of the log (R36)", async () => {
    const back = page.url();
    await page.goto(back.replace(/\?.*/, ""));
    const done = page.getByRole("region", { name: "What was done to it" }).getByRole("listitem");
    const issued = done.filter({ hasText: "certificate.issue" }).filter({ hasText: "profile " });
    await issued.waitFor();
    const revoked = done.filter({ hasText: "certificate.revoke" });
    equal([(await revoked.innerText()).includes(`${year}-05-09`), /reason \w+/.test(await revoked.innerText())], [true, true]);
    await picture("done-to-it");
    await page.goto(back);
    await issued.waitFor();
    await soon(() => revoked.count(), 0);
    await issued.getByRole("link").click();
    await page.getByRole("heading", { name: /certificate\.issue/ }).waitFor();
    await page.goBack();
  });
  await check("the overview of then is the count of then", async () => {
    await screen("Overview");
    await page.getByText("What ends in the next eighteen months").waitFor();
    equal(await page.getByRole("alert").count(), 0);
    await picture("march-overview");
  });
  await check("an authority that retired in May issued then; how fresh its lists were is not kept, and said to be so", async () => {
    const people = () => page.getByRole("region", { name: "Hierarchy" }).getByRole("article").filter({ hasText: /People/ }).locator(".status").first().innerText();
    await screen("Authorities");
    await page.getByText("How fresh lists and OCSP answers were is not kept.").waitFor();
    await soon(async () => [await people(), await page.getByText(/lists (fresh|over)/).count()], ["issues", 0]);
    await page.getByRole("row", { name: /server-tls/ }).first().waitFor();
    await picture("march-authorities");
    await goTo(`${year}-05-31`);
    await until(10, "it has retired", async () => (await people()) === "retired");
    await goTo(END_OF_MARCH);
  });
  await check("who left in May worked here then, with the role that their group gave; nobody of later is there", async () => {
    await screen("Settings");
    await page.getByText("Your own way in is shown as of now only").waitFor();
    await page.getByRole("link", { name: "People", exact: true }).click();
    const mila = page.getByRole("row", { name: /Mila Novak/ });
    equal([await mila.locator('[data-label="State"]').innerText(), await mila.locator('[data-label="Roles"]').innerText()], ["active", "ra-officer"]);
    equal(await page.getByRole("row", { name: /Noor Haddad/ }).count(), 0);
    await picture("march-people");
    await mila.getByRole("link").first().click();
    await page.getByRole("heading", { name: "Mila Novak" }).waitFor();
    await soon(async () => [await page.getByText("active", { exact: true }).count(), await page.locator("code").getByText("issue-certificate").count()], [1, 1]);
    await picture("march-person");
    await goTo(`${year}-05-31`);
    await page.getByText("left", { exact: true }).waitFor();
    await goTo(`${year}-03-15`);
    await page.getByText("They were not written down then").waitFor();
    await goTo(END_OF_MARCH);
  });
  await check("one other had to agree to what takes two since May", async () => {
    await screen("Settings");
    await page.getByRole("link", { name: "Approval policies", exact: true }).click();
    const needs = () => page.getByRole("row", { name: /ending/ }).locator('[data-label="Needs"]').innerText();
    equal(await needs(), "1 of whoever may approve");
    await goTo(`${year}-05-31`);
    await until(10, "the policy is that of May", async () => (await needs()) === "2 of whoever may approve");
    await page.getByRole("link", { name: "Groups", exact: true }).click();
    await page.getByText("There was no group then").waitFor();
    await goTo(END_OF_MARCH);
    await page.getByRole("row", { name: /ra-officer/ }).getByText("mila").waitFor();
    await page.getByRole("link", { name: "Tokens", exact: true }).click();
    await page.getByText("There was no token then").waitFor();
    await picture("march-tokens");
  });
  await check("the log of then ends then", async () => {
    await screen("Audit");
    await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
    const times = await page.locator('[role="row"] time').evaluateAll((all) => all.map((each) => each.dateTime));
    equal([times.length > 2, times.every((time) => time <= `${END_OF_MARCH}T23:59:59.999Z`)], [true, true]);
    await soon(async () => [await page.getByRole("row", { name: /certificate\.issue/ }).count() > 1, await page.getByRole("row", { name: /certificate\.revoke/ }).count()], [true, 0]);
    await page.getByText(/[\d,]+ events until then, from/).waitFor();
    await picture("march");
  });
  await check("one event of March is opened, and verified step by step under the newest checkpoint", async () => {
    await page.getByLabel("What", { exact: true }).fill("certificate.issue");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForURL(/action=certificate\.issue/);
    await page.getByRole("row", { name: /certificate\.issue/ }).first().getByRole("link").first().click();
    await page.getByRole("heading", { name: /certificate\.issue/ }).waitFor();
    equal(await page.locator(".past-band").count(), 1);
    await page.getByText(sha256(lived.mirror)).first().waitFor();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByText("this event is in the log, byte for byte").waitFor();
    equal(await page.locator(".audit-steps .status").allInnerTexts(), ["holds", "holds", "holds", "holds", "holds", "nothing to compare"]);
    await picture("march-proof");
  });
  await check("a day before this log began is said to be so, and nothing is made up", async () => {
    await page.goto(`${house.origin}/audit`);
    await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
    await goTo(`${year}-03-11`);
    await page.getByRole("heading", { name: "The log had not begun" }).waitFor();
    equal(/wrote its first event on ([^.]+)\./.exec(await page.locator(".empty").innerText())?.[1], `${year}-03-12 09:00 UTC`);
    equal(await page.locator(".past-band").count(), 1);
    await picture("before");
    await page.getByRole("button", { name: "Back to now" }).click();
  });
  await check("filters find who did what, and stand in the address", async () => {
    await page.getByLabel("What", { exact: true }).fill("token");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForURL(/action=token/);
    await page.getByRole("row", { name: /token\.create/ }).first().waitFor();
    await picture("log");
  });
  await check("one of today is verified too, against the checkpoint that was kept with the one of March", async () => {
    await verify();
    equal(await page.locator(".audit-steps .status").allInnerTexts(), ["holds", "holds", "holds", "holds", "holds", "holds"]);
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
}, { past: { began: `${year}-03-12T09:00:00Z`, live } });
