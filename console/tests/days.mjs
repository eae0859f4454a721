// Every day, one after the other, each in a process of its own.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
for (const file of readdirSync(folder).filter((name) => /^day-.*\.mjs$/.test(name)).sort()) {
  console.log(file);
  const { status } = spawnSync(process.execPath, [folder + file], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
