import { expect, test } from "vitest";
import { shade } from "./Heat";

test("nothing has no shade, one is always seen, the most is the darkest", () => {
  expect(shade(0, 1000)).toBe(0);
  expect(shade(1, 1_000_000)).toBe(1);
  expect(shade(1000, 1000)).toBe(4);
  expect(shade(1, 1)).toBe(4);
});
