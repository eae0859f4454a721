// A page that stays open: what others do appears on it by itself, and the page by itself keeps nobody signed in.
import { execFileSync } from "node:child_process";
import { day, equal } from "./day.mjs";

function request(name) {
  const made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  return execFileSync("openssl", made, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

await day("live", async ({ house, page, check, picture, person, api }) => {
  await person("ines", "Ines Iyer", "read-only");
  const background = [];
  page.on("request", (asked) => {
    if (asked.url().includes("/api/v1/inventory?")) background.push(asked.headers()["x-ward-background"]);
  });
  await check("the foot of the navigation says that the page follows Ward", async () => {
    await page.getByText("Follows Ward live").waitFor();
  });
  await check("a certificate that a machine has issued appears on an open page without a reload", async () => {
    await page.goto(`${house.origin}/inventory?q=name+%3D+live-1.mercy.example`);
    await page.getByText("Nothing matches").waitFor();
    await page.evaluate(() => { window.stayed = true; });
    await api("POST", "/api/v1/certificates", { profile: "server-tls", csr: request("live-1.mercy.example") });
    await page.getByRole("row", { name: /live-1\.mercy\.example/ }).waitFor({ timeout: 20_000 });
    equal(await page.evaluate(() => window.stayed), true);
    await picture("certificate");
  });
  await check("and its revocation, too", async () => {
    const { certificates } = await api("GET", "/api/v1/inventory?q=name+%3D+live-1.mercy.example");
    await api("POST", `/api/v1/certificates/${certificates[0].sha256}/revoke`, { reason: "superseded" });
    await page.getByRole("row", { name: /revoked/ }).waitFor({ timeout: 20_000 });
  });
  await check("what the page reads by itself long after the last key is no use of the session (R35)", async () => {
    await page.waitForTimeout(10_500);
    background.length = 0;
    await api("POST", "/api/v1/certificates", { profile: "server-tls", csr: request("live-2.mercy.example") });
    for (let left = 60; left > 0 && background.length === 0; left -= 1) await page.waitForTimeout(250);
    equal(background[0], "1");
  });
  await check("what somebody asks for is", async () => {
    background.length = 0;
    await page.getByRole("textbox", { name: "Search the inventory" }).fill("name = live-2.mercy.example");
    await page.keyboard.press("Enter");
    await page.getByRole("row", { name: /live-2\.mercy\.example/ }).waitFor();
    equal(background[0], undefined);
  });
  await check("the overview asks what is new since the last visit", async () => {
    const first = page.waitForRequest(/\/api\/v1\/overview/);
    await page.goto(house.origin);
    equal(new URL((await first).url()).searchParams.get("since"), null);
    await page.getByRole("button", { name: /^You:/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    const next = page.waitForRequest(/\/api\/v1\/overview/);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    const since = Date.parse(new URL((await next).url()).searchParams.get("since"));
    equal(Math.abs(Date.now() - since) < 60_000, true);
  });
});
