// People whom the hospital's own OpenID provider knows: in through its login and consent pages, with the roles of their groups;
// and those who are not let in, are told why, and what would (R07, R35, R37). The provider is npm's oidc-provider.
import { axe, openBrowser } from "./browser.mjs";
import { day, equal, soon } from "./day.mjs";
import { get } from "./house.mjs";

const claims = (sub, name, groups) => ({ sub, name, preferred_username: sub, email: `${sub}@mercy.example`, email_verified: true, groups });
const PEOPLE = [claims("asha", "Asha Verma", ["it-pki", "all-staff"]), claims("tomas", "Tomas Brandt", ["biomed", "all-staff"]), claims("kit", "Kit Lowe", ["kitchen", "all-staff"])];
const EVERYWHERE = ["Overview", "Requests", "Health radar", "Inventory", "Assets", "Discovery", "Topology", "Authorities"];

await day(
  "oidc",
  async ({ house, browser, page, check, picture, api }) => {
    const { provider, origin } = house;
    const back = `${origin}/auth/oidc/mercy/callback`;
    house.run("group", "create", "pki", "--label", "PKI", "--grant", "admin", "--claim", "it-pki");
    house.run("group", "create", "biomed", "--label", "Clinical engineering", "--grant", "clinical-engineering", "--claim", "biomed");
    const events = async (action) => (await api("GET", `/api/v1/audit/events?action=${action}&limit=50`)).events;
    const screens = (of) => of.getByRole("navigation", { name: "Screens" }).getByRole("link").allInnerTexts();
    const cookie = async (name) => (await browser.context.cookies(origin)).find((each) => each.name === `__Host-ward-${name}`);
    const refused = async (of, rule) => {
      await of.getByRole("heading", { name: "Not signed in" }).waitFor();
      await of.getByText(`[${rule}]`).waitFor();
      equal(await cookie("session"), undefined);
    };
    /** The provider's session ends, so that it asks again who it is. */
    const forget = () => browser.context.clearCookies({ domain: "127.0.0.1" });

    await check("the door offers the hospital's provider beside the passkey, and keeps what was wanted", async () => {
      await page.goto(`${origin}/assets?q=drip`);
      await page.getByRole("button", { name: "Sign in with a passkey" }).waitFor();
      await page.getByRole("link", { name: "Mercy Hospital account" }).waitFor();
      await picture("door");
    });
    await check("somebody whose groups stand for none here is refused, told what would let them in, and not written down", async () => {
      await atProvider(page, provider);
      await consented(page, "kit");
      await refused(page, "sign-in.unknown");
      await page.getByText("mercy sent somebody who is not known here").waitFor();
      await page.getByText(/Accepted: a person whom an administrator linked .* or a group of the provider that stands for a group here/).waitFor();
      await picture("unknown");
      equal((await api("GET", "/api/v1/people")).some((each) => each.id === "kit"), false);
      await page.getByRole("link", { name: "Back to the sign-in page" }).click();
      await page.getByRole("link", { name: "Mercy Hospital account" }).waitFor();
    });
    await check("whoever turns back at the provider is told that, too", async () => {
      await forget();
      await atProvider(page, provider);
      await page.getByRole("link", { name: "Cancel" }).click();
      await refused(page, "oidc.denied");
      await page.getByText("the provider says access_denied").waitFor();
    });
    let code, flow;
    await check("through login and consent she is in, where she wanted to go, under her name", async () => {
      await page.goto(`${origin}/inventory?q=phi`);
      await atProvider(page, provider);
      flow = await cookie("oidc");
      const returned = page.waitForRequest((asked) => asked.url().startsWith(back));
      await consented(page, "tomas");
      code = (await returned).url();
      await page.getByRole("heading", { name: "Inventory", level: 1 }).waitFor();
      equal(page.url(), `${origin}/inventory?q=phi`);
      await page.getByRole("button", { name: /^You: .*Tomas Brandt/ }).click();
      await page.getByText("tomas · clinical-engineering").waitFor();
      await page.keyboard.press("Escape");
    });
    await check("the screens are those of the group's role: the log is an auditor's", async () => {
      await soon(() => screens(page), [...EVERYWHERE, "Settings"]);
      await page.goto(`${origin}/settings`);
      await page.getByText("oidc:mercy").first().waitFor();
      await soon(() => page.getByRole("navigation", { name: "Settings" }).getByRole("link").allInnerTexts(), ["My account", "Approval policies"]);
      await picture("clinical");
    });
    let session;
    await check("sign-out ends the session itself, not only the page's knowledge of it", async () => {
      session = (await cookie("session")).value;
      const asked = () => get(`${origin}/api/v1/session`, { cookie: `__Host-ward-session=${session}` });
      equal((await asked()).status, 200);
      await page.getByRole("button", { name: /^You:/ }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.getByRole("link", { name: "Mercy Hospital account" }).waitFor();
      equal([(await asked()).status, await cookie("session")], [401, undefined]);
      await page.goBack();
      await page.getByRole("link", { name: "Mercy Hospital account" }).waitFor();
    });
    await check("an answer with another state is refused, and one that this browser did not ask for (RFC 6749 §10.12)", async () => {
      await forget();
      await atProvider(page, provider);
      await page.goto(`${back}?code=made-up&state=made-up`);
      await refused(page, "oidc.state");
      await page.getByText("this sign-in was not begun in this browser").waitFor();
      await page.getByText("Accepted: a sign-in from its beginning; one at a time").waitFor();
      await picture("state");
      await page.goto(code);
      await refused(page, "oidc.state");
    });
    await check("an answer is good once, even with the cookie it was asked under", async () => {
      await browser.context.addCookies([flow]);
      await page.goto(code);
      await page.getByRole("heading", { name: "Not signed in" }).waitFor();
      const [, rule] = /\[([a-z.-]+)\]/.exec(await page.locator("p").first().innerText());
      equal([rule, await cookie("session")], ["sign-in.replay", undefined]);
    });
    await check("each refusal is an event that says from where and which rule (R36)", async () => {
      const rules = (await events("session.refuse")).map((each) => JSON.stringify(each));
      for (const rule of ["sign-in.unknown", "oidc.denied", "oidc.state"]) equal([rule, rules.some((each) => each.includes(rule))], [rule, true]);
    });
    await check("another group, another role: every screen, and all of Settings", async () => {
      await page.goto(`${origin}/settings?tab=tokens`);
      await atProvider(page, provider);
      await consented(page, "asha");
      await page.getByRole("button", { name: /^You: .*Asha Verma/ }).waitFor();
      await page.getByRole("button", { name: "Make a token" }).waitFor();
      await soon(() => screens(page), [...EVERYWHERE, "Audit", "Settings"]);
    });
    await check("what weighs much needs a passkey; whoever came by a provider makes the first there and then, or it is not done (R35)", async () => {
      const tokens = async () => (await api("GET", "/api/v1/tokens")).filter((each) => each.name === "pipeline").length;
      await page.goto(`${origin}/settings?tab=tokens`);
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByRole("textbox", { name: "Holder" }).fill("pipeline");
      await page.getByRole("button", { name: "Make it" }).click();
      await page.getByText("it needs a passkey, and you have none").waitFor();
      await picture("no-passkey-yet");
      await page.getByRole("button", { name: "Not now" }).click();
      await page.getByRole("alert").first().waitFor();
      equal(await tokens(), 0);
      await page.getByRole("button", { name: "Make it" }).click();
      await page.getByRole("button", { name: "Make a passkey" }).click();
      await page.getByRole("button", { name: "Use passkey" }).click();
      await page.getByText("The token is made").first().waitFor();
      await soon(tokens, 1);
    });
    await check("her sessions say by what they began; one that she ends is over at once", async () => {
      const phone = await openBrowser(provider.origin);
      try {
        await phone.page.goto(origin);
        await atProvider(phone.page, provider);
        await consented(phone.page, "asha");
        await phone.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
        await page.goto(`${origin}/settings`);
        const rows = page.getByRole("region", { name: "Sessions" }).getByRole("row");
        await rows.nth(2).waitFor();
        await soon(async () => (await rows.allInnerTexts()).filter((text) => text.includes("oidc:mercy")).length, 2);
        await picture("sessions");
        await page.getByRole("button", { name: /^End the session from/ }).click();
        await page.getByText("The session is ended").first().waitFor();
        await soon(() => rows.count(), 2);
        await phone.page.getByRole("navigation", { name: "Screens" }).getByRole("link", { name: "Assets" }).click();
        await phone.page.getByRole("link", { name: "Mercy Hospital account" }).waitFor();
        equal([phone.wrong, phone.outside, await axe(phone.context, phone.page)], [[], [], []]);
      } finally {
        await phone.close();
      }
    });
    await check("who has left is not let in again, whatever the provider says (R11)", async () => {
      house.run("person", "leave", "tomas", "--why", "end of contract");
      await page.getByRole("button", { name: /^You:/ }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await forget();
      await atProvider(page, provider);
      await consented(page, "tomas");
      await page.getByRole("heading", { name: "Not signed in" }).waitFor();
      equal(await cookie("session"), undefined);
    });
  },
  { people: PEOPLE },
);

/** From the door to the provider's login page. */
async function atProvider(page, provider) {
  await page.getByRole("link", { name: "Mercy Hospital account" }).click();
  await page.waitForURL((url) => url.origin === provider.origin);
  await page.getByPlaceholder("Enter any login").waitFor();
}

/** Says at the provider who it is, and agrees that Ward is told. */
async function consented(page, login) {
  await page.getByPlaceholder("Enter any login").fill(login);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}
