// After `vite build`: weighs what a browser loads first, and lays compressed twins beside every text file, so that the
// server compresses nothing while it serves.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Issue 6: JavaScript on first load, compressed. Weighed with gzip, the larger of the two encodings. */
const FIRST_LOAD = 300_000;
/** The screen that opens after sign-in counts as first load, too. */
const FIRST_SCREEN = "src/screens/overview/Overview.tsx";
const TEXT = /\.(js|css|html|svg|json|webmanifest)$/;

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("manifest.json", dist), "utf8"));
rmSync(new URL("manifest.json", dist));

const loaded = new Set();
function load(key) {
  const chunk = manifest[key];
  if (chunk === undefined) throw new Error(`${key} is not in the manifest`);
  if (loaded.has(chunk.file)) return;
  loaded.add(chunk.file);
  for (const next of chunk.imports ?? []) load(next);
}
load("index.html");
load(FIRST_SCREEN);

const gzip = (bytes) => gzipSync(bytes, { level: 9 });
const sizes = [...loaded].filter((file) => file.endsWith(".js")).map((file) => gzip(readFileSync(new URL(file, dist))).length);
const total = sizes.reduce((sum, size) => sum + size, 0);

function walk(folder) {
  for (const name of readdirSync(folder)) {
    const file = new URL(name, folder);
    if (statSync(file).isDirectory()) walk(new URL(`${name}/`, folder));
    else if (TEXT.test(name)) compress(file);
  }
}

function compress(file) {
  const bytes = readFileSync(file);
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  const gzipped = gzip(bytes);
  // A twin that saves nothing is not worth a header.
  if (brotli.length < bytes.length * 0.9) writeFileSync(new URL(`${file.href}.br`), brotli);
  if (gzipped.length < bytes.length * 0.9) writeFileSync(new URL(`${file.href}.gz`), gzipped);
}
walk(dist);

console.log(`first load: ${total} bytes of JavaScript in ${sizes.length} files (gzip), at most ${FIRST_LOAD}`);
if (total > FIRST_LOAD) {
  console.error("too much JavaScript on first load: make a route or a chart lazy");
  process.exit(1);
}
