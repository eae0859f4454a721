// The nurse-engineer retires a pump, on the phone in the store room: finds it by its label, reads what will happen, does it,
// and sees its certificate revoked. Certificates of others are not hers to revoke (R37).
import { day, equal, soon } from "./day.mjs";
import { call, furnish } from "./furnish.mjs";

/** A phone that reads barcodes, as Chrome on Android does: the label in front of it is the pump's. */
function phone(label) {
  class BarcodeDetector {
    static getSupportedFormats() { return Promise.resolve(["data_matrix", "qr_code"]); }
    detect() { return Promise.resolve([{ rawValue: label, format: "data_matrix" }]); }
  }
  window.BarcodeDetector = BarcodeDetector;
  window.cameras = 0;
  window.navigator.mediaDevices.getUserMedia = () => {
    window.cameras += 1;
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 10, 10);
    const stream = canvas.captureStream(5);
    window.track = stream.getTracks()[0];
    return Promise.resolve(stream);
  };
}

await day("nurse-engineer", async ({ house, page, check, picture, person }) => {
  await furnish(house);
  // Instants of the address have whole seconds: the pump's registration has to lie in one that is over.
  await page.waitForTimeout(1_100);
  const before = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await page.addInitScript(phone, "]d20151022222233336" + "21SN-4711");
  await page.setViewportSize({ width: 360, height: 780 });
  await person("nora", "Nora Quist", "clinical-engineering");
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  await check("the register is a list of cards on a phone, nothing wider than it; the camera is off", async () => {
    await page.goto(`${house.origin}/assets`);
    await page.locator('[role="row"][aria-rowindex="3"]').waitFor();
    equal([await fits(), await page.evaluate(() => window.cameras)], [true, 0]);
    await picture("register");
  });
  await check("a part of a name finds devices, and the filters narrow (R08)", async () => {
    await page.getByRole("textbox", { name: "Search the register" }).fill("breeze");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await page.waitForURL(/q=breeze/);
    await page.getByRole("row", { name: /SN-4713/ }).waitFor();
    await soon(() => page.getByRole("row", { name: /SN-4711/ }).count(), 0);
  });
  await check("a label that nobody knows is told so, and nothing is asked of the camera", async () => {
    await page.getByRole("button", { name: "Scan a label" }).click();
    const field = page.getByLabel("UDI, serial number or asset tag");
    await field.fill("SN-0815");
    await page.getByRole("button", { name: "Find it" }).click();
    await page.getByText("Nothing in the register has the label").waitFor();
    await picture("no-such-label");
  });
  await check("the camera is asked only now, reads the label, finds the pump, and is let go of", async () => {
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.getByRole("heading", { name: "SN-4711", level: 1 }).waitFor();
    equal(await page.evaluate(() => [window.cameras, window.track.readyState]), [1, "ended"]);
    equal(await fits(), true);
    await page.getByText(/\d+ days left/).waitFor();
    await picture("pump");
  });
  await check("before it is retired the page says what that will do", async () => {
    await page.getByRole("button", { name: "Retire…" }).click();
    const effect = page.getByRole("region", { name: "What it will do" });
    await effect.getByText("1 certificate").waitFor();
    await effect.getByText("Make sure that it is off every patient").waitFor();
    equal(await page.getByRole("button", { name: "Retire it" }).isDisabled(), true);
    await picture("what-it-will-do");
  });
  await check("she retires it, and its certificate is revoked, or planned to be", async () => {
    await page.getByLabel("Why").fill("board burnt, CHG-2301");
    await page.getByLabel(/I have read what it does/).check();
    await page.getByRole("button", { name: "Retire it" }).click();
    await page.getByText("retired", { exact: true }).first().waitFor();
    await page.getByText("revoked", { exact: true }).first().waitFor({ timeout: 20_000 });
    await soon(() => page.getByRole("button", { name: "Retire…" }).count(), 0);
    await picture("retired");
  });
  await check("the register and the authority say the same", async () => {
    const { asset } = await call(house, "GET", `/api/v1/assets/${house.pump}`);
    const [holding] = await call(house, "GET", `/api/v1/assets/${house.pump}/holdings`);
    equal([asset.state, holding.state, holding.revoke_reason], ["retired", "revoked", "cessationOfOperation"]);
  });
  await check("as of before, it was in use, and nothing can be done to it there (R52)", async () => {
    await page.goto(`${house.origin}/assets/${house.pump}?as_of=${before}`);
    await page.getByText("active", { exact: true }).first().waitFor();
    equal(await page.getByRole("button", { name: "Retire…" }).count(), 0);
  });
  await check("a certificate of somebody else shows her no way to revoke it, and the API refuses her (R37)", async () => {
    const [spare] = await call(house, "GET", "/api/v1/spares");
    await page.goto(`${house.origin}/inventory/${spare.sha256}`);
    await page.getByRole("button", { name: "Copy PEM" }).waitFor();
    equal(await page.getByRole("button", { name: /Revoke/ }).count(), 0);
    const refused = await page.evaluate(async (sha256) => {
      const { csrf } = await (await fetch("/api/v1/session")).json();
      const answer = await fetch(`/api/v1/certificates/${sha256}/revoke`, { method: "POST", headers: { "content-type": "application/json", "x-ward-csrf": csrf }, body: '{"reason":"superseded"}' });
      return [answer.status, (await answer.json()).rule];
    }, spare.sha256);
    equal(refused, [403, "role"]);
    await picture("not-hers");
  });
});
