// A Ward of its own for the browser: initialised, filled, served on free ports of loopback, ended by its process id.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProvider } from "./provider.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function freePort() {
  return new Promise((resolve, reject) => {
    const attempt = (left) => {
      // Below the range from which the kernel takes ports for outgoing connections.
      const port = 20_001 + Math.floor(Math.random() * 11_998);
      const probe = createServer();
      probe.once("error", (error) => (left > 0 ? attempt(left - 1) : reject(error)));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
    };
    attempt(50);
  });
}

/** `people`: whom an OpenID provider of their own knows, as `startProvider` has them; without them there is none. */
export async function openHouse({ people } = {}) {
  const ward = process.env.WARD_BIN;
  if (ward === undefined || !existsSync(ward)) throw new Error("WARD_BIN does not name a built ward");
  const folder = mkdtempSync(join(tmpdir(), "ward-console-"));
  const data = join(folder, "ward");
  const [port, http] = [await freePort(), await freePort()];
  const run = (...args) => execFileSync(ward, [...args, "--data", data], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const made = run("init", "--organization", "Mercy Hospital", "--publish-url", `http://localhost:${http}`, "--root-out", join(folder, "usb"), "--listen", `127.0.0.1:${port}`, "--http", `127.0.0.1:${http}`);
  // Passkeys are bound to a name, and an address is none (WebAuthn Level 3 §5.1.2).
  const origin = `https://localhost:${port}`;
  appendFileSync(join(data, "ward.toml"), `\n[sign_in]\norigin = "${origin}"\n`);
  const provider = people === undefined ? undefined : await startProvider({ port: await freePort(), origin, folder, people });
  if (provider !== undefined) appendFileSync(join(data, "ward.toml"), provider.configuration);
  const token = /#\/welcome\/([A-Za-z0-9._~-]+)/.exec(made)?.[1];
  if (token === undefined) throw new Error(`ward init printed no link for the first administrator:\n${made}`);
  const python = join(ROOT, ".tmp/venv/bin/python");
  execFileSync(existsSync(python) ? python : "python3", [fileURLToPath(new URL("seed.py", import.meta.url)), folder]);
  run("discover", "import", join(folder, "found.csv"), "--source", "old-tool");
  run("discover", "import", join(folder, "long.pem"), "--source", "file-share");
  run("token", "create", "--name", "tests", "--role", "admin", "--days", "1", "--out", join(folder, "token"));
  const log = join(folder, "log");
  const served = spawn(ward, ["serve", "--data", data], { stdio: ["ignore", "pipe", "pipe"] });
  const written = createWriteStream(log);
  served.stdout.pipe(written);
  served.stderr.pipe(written);
  const house = {
    origin,
    link: `${origin}/#/welcome/${token}`,
    token: readFileSync(join(folder, "token"), "utf8").trim(),
    run,
    folder,
    provider,
    log: () => readFileSync(log, "utf8"),
    close: async () => {
      const ended = new Promise((resolve) => served.once("exit", resolve));
      served.kill("SIGTERM");
      await ended;
      await provider?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await until(30, "Ward answers", () => get(`${origin}/healthz`).then((answer) => answer.status === 200, () => false));
  } catch (error) {
    const said = house.log();
    await house.close();
    throw new Error(`${error.message}\n${said}`, { cause: error });
  }
  return house;
}

/** Node's fetch knows no way to trust one root for one call; the browser tests are about the page, not about TLS. */
export function get(url, headers = {}, method = "GET", body) {
  return new Promise((resolve, reject) => {
    // A connection of its own each time: one that was kept may have been ended by the server meanwhile.
    const asked = request(url, { method, headers, rejectUnauthorized: false, agent: false }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

export async function until(seconds, what, holds) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
