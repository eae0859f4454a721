// Types of the API, from the OpenAPI document that the server's tests hold still.
//
// Operation ids are left out: in the document they are not unique (`list` of assets, of agents, …), and only paths are used.
import { readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const document = JSON.parse(readFileSync(new URL("../../crates/server/tests/golden/openapi.json", import.meta.url), "utf8"));
for (const item of Object.values(document.paths)) {
  for (const operation of Object.values(item)) delete operation.operationId;
}
const types = await openapi(document, { immutable: true });
writeFileSync(new URL("../src/api/schema.gen.ts", import.meta.url), astToString(types));
