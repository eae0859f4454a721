import { expect, test } from "vitest";
import { freshness, worst } from "./freshness";
import { rulesOf } from "./rules";
import { treeOf } from "./tree";
import type { Authority, ProfileView } from "./types";

const authority = (name: string, parent: string | null) => ({ name, title: name, parent, generations: [name], issuer: name }) as unknown as Authority;
const names = (branches: ReturnType<typeof treeOf>): unknown => branches.map((each) => (each.below.length === 0 ? each.authority.name : [each.authority.name, names(each.below)]));

test("every authority stands once, under whoever signed it; those signed by others are roots", () => {
  expect(names(treeOf([authority("devices", "root"), authority("root", null), authority("pumps", "devices"), authority("bought", "vendor-root")]))).toEqual(["bought", ["root", [["devices", ["pumps"]]]]]);
});

test("a circle is drawn once and does not hang the page", () => {
  expect(names(treeOf([authority("a", "b"), authority("b", "a")]))).toEqual([["a", ["b"]]]);
});

test("a list is over at its next update, not after it (RFC 5280 §5.1.2.5)", () => {
  expect([50, 95, 100].map((now) => freshness(0, 100, now).word)).toEqual(["fresh", "nearly over", "over"]);
  expect(worst([freshness(0, 100, 10), freshness(0, 100, 95), freshness(0, 1000, 95)])?.word).toBe("nearly over");
});

test("a profile's fields are told; what it does not say is not made up", () => {
  const rules = rulesOf({
    name: "device-ldevid", version: 1, title: "", approvals: 0, citations: [],
    rules: { class: "device", "issued-by": ["devices"], keys: { algorithms: ["ecdsa-p256"], "server-keys": true }, subject: { serialNumber: { from: "request", required: true } }, names: { uri: { max: 1, patterns: ["urn:*"] } }, validity: { max: "730d" }, permission: { roles: ["admin"] } },
  } as unknown as ProfileView);
  expect([rules.class, rules.max, rules.usual, rules.exception, rules.serverKeys, rules.needsEvidence]).toEqual(["device", "730d", "", undefined, true, false]);
  expect([rules.subject, rules.names]).toEqual([[["serialNumber", "from request; required"]], [["uri", "at most 1; patterns urn:*"]]]);
});
