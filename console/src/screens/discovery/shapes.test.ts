import { expect, test } from "vitest";
import { type Covered, size, stretches } from "./shapes";

test("addresses of a range are counted as the server writes ranges (RFC 4632)", () => {
  expect(["10.20.0.10", "10.10.0.0/29", "10.20.0.0-10.20.0.9", "10.10.0.255-10.10.1.0", "fd00::/64", "nonsense", "10.0.0.999"].map(size)).toEqual([1, 8, 10, 2, undefined, undefined, undefined]);
});

test("what nobody looked at stands first", () => {
  const covered = { never_ranges: ["10.0.0.1"], looked: [{ range: "10.0.0.2", ports: "443", at: 5, scan: "s1", by: "ines" }], exclusions: [{ range: "10.0.0.3", rule: "biomed: old pumps" }] } as unknown as Covered;
  expect(stretches(covered).map(({ what, range }) => [what, range])).toEqual([["never", "10.0.0.1"], ["looked", "10.0.0.2"], ["left-out", "10.0.0.3"]]);
});
