import { expect, test } from "vitest";
import { day, daysLeft, instant, minute, relative } from "./time";

const NOW = Date.parse("2026-11-22T18:00:00Z");

test("times are UTC and dates are those of ISO 8601", () => {
  expect(day(instant(0, "seconds"))).toBe("1970-01-01");
  expect(minute(NOW)).toBe("2026-11-22 18:00 UTC");
  // RFC 5280 §4.1.2.5: the end of time that certificates without an end carry.
  expect(day(Date.parse("9999-12-31T23:59:59Z"))).toBe("9999-12-31");
  expect(day(Number.NaN)).toBe("—");
  expect(minute(1e20)).toBe("—");
});

test("distances say their largest unit", () => {
  expect(relative(NOW + 12 * 86_400_000, NOW)).toBe("in 12 days");
  expect(relative(NOW - 3 * 3_600_000, NOW)).toBe("3 hours ago");
  expect(relative(NOW + 60_000, NOW)).toBe("in 1 minute");
  expect(relative(NOW, NOW)).toBe("now");
  expect(daysLeft(NOW + 86_400_000 * 1.5, NOW)).toBe(1);
  expect(daysLeft(NOW - 1, NOW)).toBe(-1);
});
