// A real OpenID provider (npm: oidc-provider) on loopback. With `account`, everybody who asks is that one and has consented;
// with `accounts`, the provider's own pages ask who it is (a login is an account's `sub`, with any password) and for consent.
// usage: node provider.mjs FOLDER-OF-NODE-MODULES, with its settings as JSON on standard input.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.argv[2]}/package.json`));
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
const { port, clients, account, accounts } = JSON.parse(readFileSync(0, "utf8"));

const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig", alg, kid: alg,
});
const keys = [
  key("rsa", { modulusLength: 2048 }, "RS256"), key("rsa", { modulusLength: 2048 }, "PS256"),
  key("ec", { namedCurve: "P-256" }, "ES256"),
];

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: { keys },
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256"] },
  features: { devInteractions: { enabled: account === undefined } },
  cookies: { keys: ["only-for-this-test"] },
  findAccount: (_, id) => {
    const found = account === undefined ? accounts.find((each) => each.sub === id) : account;
    return found && { accountId: id, claims: () => ({ ...found, sub: id }) };
  },
  ...(account === undefined ? {} : unasked()),
});

/** Nobody is asked who they are, nor whether they agree. */
function unasked() {
  return {
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email groups");
      await grant.save();
      return grant;
    },
  };
}

const answer = provider.callback();
createServer(async (request, response) => {
  if (account !== undefined && request.url.startsWith("/interaction/")) {
    await provider.interactionFinished(request, response, { login: { accountId: account.sub } });
  } else {
    answer(request, response);
  }
}).listen(port, "127.0.0.1");
