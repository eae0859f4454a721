// One person's day in a browser, from their one-time link on: a Ward of its own, a virtual authenticator, pictures in
// .tmp/screens. A file `day-NAME.mjs` is one day; it says what it looked for, and ends with exit code 1 if it was not there.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { axe, openBrowser } from "./browser.mjs";
import { get, openHouse } from "./house.mjs";

const PICTURES = fileURLToPath(new URL("../../.tmp/screens/", import.meta.url));

export function equal(found, expected) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`found ${one}, expected ${other}`);
}

/** Likewise of what becomes so: a page reads anew and the inventory follows the log after what was pressed is done. */
export async function soon(find, expected) {
  const end = Date.now() + 15_000;
  for (;;) {
    const found = await find();
    if (JSON.stringify(found) === JSON.stringify(expected) || Date.now() > end) return equal(found, expected);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs a day: `live({ house, browser, page, check, picture, person, api })`; `furnished` is what `openHouse` takes. */
export async function day(name, live, furnished) {
  mkdirSync(PICTURES, { recursive: true });
  let failed = 0;
  const check = async (what, holds) => {
    try {
      if ((await holds()) === false) throw new Error("it does not hold");
      console.log(`  ok    ${what}`);
    } catch (error) {
      failed += 1;
      console.log(`  FAIL  ${what}\n        ${String(error.message ?? error).split("\n").slice(0, 12).join("\n        ")}`);
    }
  };
  const house = await openHouse(furnished);
  const browser = await openBrowser(house.provider?.origin);
  const { page, context } = browser;
  const picture = async (what) => {
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${PICTURES}day-${name}-${what}.png`, fullPage: true });
    equal(await axe(context, page), []);
  };
  try {
    await live({ house, browser, page, check, picture, person: (id, full, grant) => person(house, page, id, full, grant), api: (...call) => api(house, ...call) });
    await check("no page wrote an error, nothing was refused by its policy, nothing came from outside", () => equal([browser.wrong, browser.outside], [[], []]));
  } catch (error) {
    failed += 1;
    await page.screenshot({ path: `${PICTURES}day-${name}-broken.png` }).catch(() => undefined);
    console.log(`  FAIL  the day broke off: ${error.stack}`);
  } finally {
    await browser.close();
    await house.close();
  }
  console.log(failed === 0 ? `${name}: all passed` : `${name}: ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Writes somebody down (without `grant`, they are already), and has them make a passkey from their link and sign in with it. */
export async function person(house, page, id, full, grant) {
  if (grant !== undefined) house.run("person", "create", id, "--name", full, "--grant", grant);
  const link = /https:\/\/\S+#\/welcome\/\S+/.exec(house.run("person", "invite", id))?.[0];
  if (link === undefined) throw new Error(`no link for ${id}`);
  await page.goto(link);
  await page.waitForURL((url) => url.hash === "");
  await page.getByLabel("Name of this passkey").fill("Their authenticator");
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByRole("button", { name: "Sign in with it" }).click();
  await page.getByRole("button", { name: "Make recovery codes" }).click();
  await page.getByRole("button", { name: "I keep them safe" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
}

/** A call of the API with the tests' own token, as machines make it. */
async function api(house, method, path, body, token = house.token) {
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const answer = await get(house.origin + path, headers, method, body === undefined ? undefined : JSON.stringify(body));
  const text = answer.body.toString();
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
