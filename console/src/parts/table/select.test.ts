import { expect, it } from "vitest";
import { selected } from "./select";

const rows = ["a", "b", "c", "d", "e"];
const pick = (chosen: readonly string[], from: number, to: number, isRange: boolean) => [...selected(rows, (row) => row, new Set(chosen), from, to, isRange)].sort().join("");

it("turns one row on and off", () => {
  expect(pick([], 0, 2, false)).toBe("c");
  expect(pick(["c"], 0, 2, false)).toBe("");
});

it("takes from the last row to this one, both included, in either direction, and nothing beside", () => {
  expect(pick(["b"], 1, 3, true)).toBe("bcd");
  expect(pick(["d"], 3, 1, true)).toBe("bcd");
  expect(pick([], 2, 2, true)).toBe("c");
});

it("keeps what was chosen before, and makes nothing of a row that is not there", () => {
  expect(pick(["a"], 3, 4, true)).toBe("ade");
  expect(pick(["a"], 0, 9, true)).toBe("a");
});
