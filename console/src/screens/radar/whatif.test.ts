import { expect, test } from "vitest";
import { heldBy, question, type RadarView, recompute, worths } from "./whatif";

const link = { path: "/inventory", search: {} };

function part(id: string, weight: number, have: number, of: number) {
  return { id, title: id, weight, unit: "certificates", limit: "", share: { have, of } };
}

// Worked by hand from the formulas of docs/radar.md.
const RADAR: RadarView = {
  counted_at: "2026-11-22T12:00:00Z",
  certificates: {} as RadarView["certificates"],
  score: 62.5,
  ceiling: 40,
  axes: [
    { id: "a", title: "A", what: "a", weight: 1, value: 50, pulls: [], parts: [part("a.x", 3, 40, 100), part("a.y", 1, 8, 10), part("a.z", 9, 0, 0)] },
    { id: "b", title: "B", what: "b", weight: 1, value: 75, pulls: [], parts: [part("b.x", 1, 75, 100)] },
    { id: "c", title: "C", what: "c", weight: 5, value: null, pulls: [], parts: [part("c.x", 1, 0, 0)] },
  ],
  levers: [
    { id: "small", title: "Small", what: "", total: 50, unit: "certificates", link, effects: [{ part: "a.y", gain: 50 }] },
    { id: "all", title: "All", what: "", total: 60, unit: "certificates", link, effects: [{ part: "a.x", gain: 60 }] },
    { id: "none", title: "None", what: "", total: 0, unit: "certificates", link, effects: [] },
  ],
};

test("parts without anything are left out, axes without parts have no value (docs/radar.md)", () => {
  expect(recompute(RADAR, {})).toEqual({ score: 62.5, axes: [50, 75, undefined] });
});

test("levers add, and never beyond all there is", () => {
  expect(recompute(RADAR, { all: 50 }).axes[0]).toBeCloseTo(72.5);
  // 8 of 10 and 50 more is 10 of 10: (3 × 40 + 100) ÷ 4.
  expect(recompute(RADAR, { small: 100 }).axes[0]).toBeCloseTo(55);
  expect(recompute(RADAR, { all: 400 }).axes[0]).toBeCloseTo(95);
});

test("one axis that is down holds the score down", () => {
  const down = { ...RADAR, axes: RADAR.axes.map((axis) => (axis.id === "a" ? { ...axis, parts: [part("a.x", 1, 0, 100)] } : { ...axis, weight: 3 })) };
  expect(recompute(down, {}).score).toBe(40);
  expect(heldBy(down, recompute(down, {}))).toBe("A");
  expect(heldBy(RADAR, recompute(RADAR, {}))).toBeUndefined();
  expect(recompute({ axes: [], levers: [], ceiling: 40 }, {}).score).toBeUndefined();
});

test("what helps most stands first, what has nothing to mend last", () => {
  expect(worths(RADAR).map(({ lever, gain }) => [lever.id, Math.round(gain * 10) / 10])).toEqual([["all", 22.5], ["small", 2.5], ["none", 0]]);
});

test("what an axis asks is a question", () => {
  expect(question("is everything known that there is (R16, R17)")).toEqual(["Is everything known that there is?", "R16, R17"]);
});
