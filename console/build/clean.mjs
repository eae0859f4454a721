// Empties dist/ but for its .gitignore, which keeps the folder in place for Cargo to watch.
import { readdirSync, rmSync } from "node:fs";

const dist = new URL("../dist/", import.meta.url);
for (const name of readdirSync(dist)) {
  if (name !== ".gitignore") rmSync(new URL(name, dist), { recursive: true });
}
