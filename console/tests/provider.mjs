// An OpenID provider for the browser tests: npm's oidc-provider, with its own login and consent pages, on an address of
// loopback that is another site than Ward's `localhost`, as a hospital's provider is.
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./house.mjs";

const PROGRAM = fileURLToPath(new URL("../../interop/signin/provider.mjs", import.meta.url));
const MODULES = fileURLToPath(new URL("../../.tmp/oidc", import.meta.url));
const SECRET = "s3cret: a space, a +, a % and an &";

/** `people`: their claims, `sub` among them, which is also what they type in at the provider. */
export async function startProvider({ port, origin: ward, folder, people }) {
  if (!existsSync(join(MODULES, "node_modules/oidc-provider"))) throw new Error("no oidc-provider: run scripts/install-deps.sh");
  const origin = `http://127.0.0.1:${port}`;
  const client = {
    client_id: "ward",
    client_secret: SECRET,
    client_name: "Ward",
    redirect_uris: [`${ward}/auth/oidc/mercy/callback`],
    response_types: ["code"],
    grant_types: ["authorization_code"],
    id_token_signed_response_alg: "ES256",
    scope: "openid profile email groups",
  };
  const [settings, log, secret] = ["provider.json", "provider.log", "mercy.secret"].map((name) => join(folder, name));
  writeFileSync(settings, JSON.stringify({ port, clients: [client], accounts: people }));
  writeFileSync(secret, `${SECRET}\n`, { mode: 0o600 });
  const [read, write] = [openSync(settings, "r"), openSync(log, "w")];
  const served = spawn(process.execPath, [PROGRAM, MODULES], { stdio: [read, write, write] });
  closeSync(read);
  closeSync(write);
  const close = async () => {
    if (served.exitCode !== null) return;
    const ended = new Promise((resolve) => served.once("exit", resolve));
    served.kill("SIGTERM");
    await ended;
  };
  const answers = () => fetch(`${origin}/.well-known/openid-configuration`).then((answer) => answer.ok, () => false);
  try {
    await until(30, "the provider answers", answers);
  } catch (error) {
    await close();
    throw new Error(`${error.message}\n${readFileSync(log, "utf8")}`, { cause: error });
  }
  const configuration = `
[[sign_in.oidc]]
name = "mercy"
label = "Mercy Hospital account"
issuer = "${origin}"
client_id = "ward"
client_secret_file = "${secret}"
scopes = ["openid", "profile", "email", "groups"]
groups_claim = "groups"
`;
  return { origin, configuration, close };
}
