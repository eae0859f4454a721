// A Ward of its own for the browser: initialised, filled, served on free ports of loopback, ended by its process id.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProvider } from "./provider.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** From the book of ports that all checks of this machine share. */
function freePort() {
  return Number(execFileSync("python3", [fileURLToPath(new URL("../../interop/ports.py", import.meta.url))], { encoding: "utf8" }));
}

/** Calls Ward as if it were `instant` and time went on from there: the environment of a process that does. */
function clockAt(instant, folder) {
  const clock = join(folder, "clock.so");
  if (!existsSync(clock)) execFileSync("cc", ["-shared", "-fPIC", "-o", clock, fileURLToPath(new URL("clock.c", import.meta.url))]);
  const shift = Math.ceil((Date.parse(instant) - Date.now()) / 1000);
  return { ...process.env, LD_PRELOAD: clock, CLOCK_SHIFT: String(shift) };
}

/**
 * `people`: whom an OpenID provider of their own knows, as `startProvider` has them; without them there is none.
 * `past`: `{ began, live }`, a house that began at that instant. What `live` does is done in the past: it is given
 * `at(instant)`, which answers with `run` as of then, and `serve(during)`, a server that stands while `during` lasts.
 */
export async function openHouse({ people, past } = {}) {
  const ward = process.env.WARD_BIN;
  if (ward === undefined || !existsSync(ward)) throw new Error("WARD_BIN does not name a built ward");
  const folder = mkdtempSync(join(tmpdir(), "ward-console-"));
  const data = join(folder, "ward");
  const [port, http] = [freePort(), freePort()];
  // Passkeys are bound to a name, and an address is none (WebAuthn Level 3 §5.1.2).
  const origin = `https://localhost:${port}`;
  const publish = `http://localhost:${http}`;
  const runIn = (env) => (...args) => execFileSync(ward, [...args, "--data", data], { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const at = (instant) => {
    const env = clockAt(instant, folder);
    const serve = async (during) => {
      const server = startServer(ward, data, folder, env);
      try {
        await server.answers(origin);
        await during();
      } finally {
        await server.end();
      }
    };
    return { run: runIn(env), serve };
  };
  const run = runIn(process.env);
  const begin = past === undefined ? run : at(past.began).run;
  const made = begin("init", "--organization", "Mercy Hospital", "--publish-url", publish, "--root-out", join(folder, "usb"), "--listen", `127.0.0.1:${port}`, "--http", `127.0.0.1:${http}`);
  appendFileSync(join(data, "ward.toml"), `\n[sign_in]\norigin = "${origin}"\n`);
  const provider = people === undefined ? undefined : await startProvider({ port: freePort(), origin, folder, people });
  if (provider !== undefined) appendFileSync(join(data, "ward.toml"), provider.configuration);
  const python = join(ROOT, ".tmp/venv/bin/python");
  const since = past === undefined ? [] : [past.began];
  execFileSync(existsSync(python) ? python : "python3", [fileURLToPath(new URL("seed.py", import.meta.url)), folder, ...since]);
  begin("discover", "import", join(folder, "found.csv"), "--source", "old-tool");
  begin("discover", "import", join(folder, "long.pem"), "--source", "file-share");
  await past?.live({ at, folder });
  // The link that `init` printed has ended meanwhile.
  const invited = past === undefined ? made : run("person", "invite", "administrator");
  const token = /#\/welcome\/([A-Za-z0-9._~-]+)/.exec(invited)?.[1];
  if (token === undefined) throw new Error(`there is no link for the first administrator:\n${invited}`);
  run("token", "create", "--name", "tests", "--role", "admin", "--days", "1", "--out", join(folder, "token"));
  const server = startServer(ward, data, folder, process.env);
  const house = {
    origin,
    link: `${origin}/#/welcome/${token}`,
    token: readFileSync(join(folder, "token"), "utf8").trim(),
    run,
    folder,
    provider,
    log: server.log,
    close: async () => {
      await server.end();
      await provider?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await server.answers(origin);
  } catch (error) {
    await house.close();
    throw error;
  }
  return house;
}

function startServer(ward, data, folder, env) {
  const log = join(folder, "log");
  const served = spawn(ward, ["serve", "--data", data], { env, stdio: ["ignore", "pipe", "pipe"] });
  const written = createWriteStream(log, { flags: "a" });
  served.stdout.pipe(written, { end: false });
  served.stderr.pipe(written, { end: false });
  const read = () => readFileSync(log, "utf8");
  return {
    log: read,
    answers: async (origin) => {
      try {
        await until(30, "Ward answers", () => get(`${origin}/healthz`).then((answer) => answer.status === 200, () => false));
      } catch (error) {
        throw new Error(`${error.message}\n${read()}`, { cause: error });
      }
    },
    end: async () => {
      const ended = new Promise((resolve) => served.once("exit", resolve));
      if (served.kill("SIGTERM")) await ended;
      written.end();
    },
  };
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
