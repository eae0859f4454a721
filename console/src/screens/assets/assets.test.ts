import { expect, test } from "vitest";
import { changed } from "./changed";
import { type AssetRecord, type Holding, inForce, isUsable, type Right, rightsFor } from "./types";

const PUMP: AssetRecord = {
  id: "a1", kind: "device", serial: "SN-1", manufacturer: "Fluidic", model: "Drip 3", criticality: "life-support", phi: false, renewal: "automatic", clock: "good", small_memory: false, state: "active",
};
const RIGHT: Right = { id: "v1", endpoint: "bedside", for: "any", credential: "shared-secret", uses: 1, used: 0, expires: null, revoked: null, note: "" };

test("a right is an asset's by its id, its serial number, its model, or because it is for any", () => {
  const rights: Right[] = [
    { ...RIGHT, id: "any" },
    { ...RIGHT, id: "own", for: { asset: "a1" } },
    { ...RIGHT, id: "other", for: { asset: "a2" } },
    { ...RIGHT, id: "batch", for: { batch: ["SN-0", "SN-1"] } },
    { ...RIGHT, id: "model", for: { model: { manufacturer: "FLUIDIC", model: "drip 3" } } },
    { ...RIGHT, id: "else", for: { model: { manufacturer: "Fluidic", model: "Drip 4" } } },
  ];
  expect(rightsFor(PUMP, rights).map((each) => each.right.id)).toEqual(["any", "own", "batch", "model"]);
});

test("a right is usable while it is neither ended, over nor used up", () => {
  expect([RIGHT, { ...RIGHT, used: 1 }, { ...RIGHT, revoked: 5 }, { ...RIGHT, expires: 10 }, { ...RIGHT, uses: null, used: 9 }].map((right) => isUsable(right, 20))).toEqual([true, false, false, false, true]);
});

test("what is revoked or expired is not in force", () => {
  const base = { sha256: "x", state: "issued", not_after: 100 } as Holding;
  expect(inForce([base, { ...base, state: "revoked" }, { ...base, not_after: 1 }, { ...base, state: "held" }], 50_000).map((each) => each.state)).toEqual(["issued", "held"]);
});

test("a change says what was and what is, and nothing of what stayed", () => {
  const after: AssetRecord = { ...PUMP, owner: "biomed", phi: true, service_life_ends: 1_900_000_000, host_names: ["a", "b"] };
  expect(changed(PUMP, after)).toEqual([
    { field: "host names", before: undefined, after: "a, b" },
    { field: "owner", before: undefined, after: "biomed" },
    { field: "phi", before: "no", after: "yes" },
    { field: "service life ends", before: undefined, after: "2030-03-17" },
  ]);
});
