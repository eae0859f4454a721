import { expect, test } from "vitest";
import { lastVisit, visited } from "./visit";

test("the last visit stays the same for a whole session, and is the end of the one before", () => {
  const first = visited(undefined, 10, 10);
  expect(first).toEqual({ session: 10, seen: 10 });
  const later = visited(first, 10, 500);
  expect(later).toEqual({ session: 10, seen: 500 });
  const next = visited(later, 900, 901);
  expect(next).toEqual({ session: 900, seen: 901, before: 500 });
  expect(visited(next, 900, 950)).toEqual({ session: 900, seen: 950, before: 500 });
});

test("each person has one of their own; rubbish in the browser is no visit", () => {
  const [monday, tuesday] = [Date.parse("2026-11-16T08:00:00Z"), Date.parse("2026-11-17T08:00:00Z")];
  localStorage.setItem("ward.visit.ines", "{]");
  expect(lastVisit("ines", monday, monday)).toBeUndefined();
  expect(lastVisit("omar", tuesday, tuesday)).toBeUndefined();
  expect(lastVisit("ines", tuesday, tuesday)).toBe("2026-11-16T08:00:00Z");
});
