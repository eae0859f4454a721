import { expect, test } from "vitest";
import { pastInstant } from "./as-of";

const NOW = Date.parse("2026-11-22T18:00:00Z");

test("a day is its end, an instant itself, and today is now (R52)", () => {
  expect(pastInstant("2026-03-31", NOW)).toBe("2026-03-31T23:59:59Z");
  expect(pastInstant("2026-03-31 12:30", NOW)).toBe("2026-03-31T12:30:00Z");
  expect(pastInstant("2026-03-31T12:30", NOW)).toBe("2026-03-31T12:30:00Z");
  expect(pastInstant("2026-11-22", NOW)).toBe("2026-11-22T18:00:00Z");
});

test("what has not been yet, and what is no date, is refused", () => {
  for (const text of ["2027-01-01", "2026-11-23", "2026-11-22T18:01", "yesterday", "2026-02-31T99:00", ""]) {
    expect(pastInstant(text, NOW), text).toBeUndefined();
  }
});
