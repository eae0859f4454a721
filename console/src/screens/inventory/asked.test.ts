import { expect, test } from "vitest";
import { asked } from "./asked";

const NOTHING = { q: "", view: undefined, sort: undefined, asOf: undefined };

test("the screen asks what its address says (docs/search-language.md)", () => {
  expect(asked(NOTHING)).toEqual({});
  expect(asked({ ...NOTHING, q: " phi ", sort: "risk" })).toEqual({ q: "phi", sort: "risk" });
  expect(asked({ ...NOTHING, sort: "nonsense" })).toEqual({});
  expect(asked({ ...NOTHING, view: "unowned", sort: "risk" })).toEqual({ view: "unowned" });
});

test("as of then, unless the search says when itself (R52)", () => {
  const asOf = "2026-03-31T23:59:59Z";
  expect(asked({ ...NOTHING, asOf })).toEqual({ q: `as of ${asOf}` });
  expect(asked({ ...NOTHING, q: "a = 1 or b = 2", asOf })).toEqual({ q: `(a = 1 or b = 2) as of ${asOf}` });
  expect(asked({ ...NOTHING, q: "phi as of 30d ago", asOf })).toEqual({ q: "phi as of 30d ago" });
});
