// What goes to the browser may have these licences only; the same question that deny.toml asks of crates.
import { readFileSync } from "node:fs";

const ALLOWED = new Set(["MIT", "ISC", "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "OFL-1.1", "Unlicense", "(MIT OR CC0-1.0)"]);

const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
const shipped = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && !entry.dev && !entry.devOptional);
const refused = shipped.filter(([, { license }]) => !ALLOWED.has(license));
const hosts = Object.values(lock.packages).filter((entry) => entry.resolved !== undefined);
for (const [path, { license }] of refused) console.error(`${path}: licence ${license ?? "unknown"} is not on the list of build/licences.mjs`);
if (hosts.length > 0) console.error("package-lock.json names a registry's addresses: see .npmrc");
if (refused.length + hosts.length > 0) process.exit(1);
console.log(`licences: ${shipped.length} packages go to the browser, all on the list`);
