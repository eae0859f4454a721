import { expect, it } from "vitest";
import { limitsText, readLimits } from "./grant-text";

it("reads limits as the command line takes them, and writes them the same", () => {
  const read = readLimits("segment=icu-*, site=main,segment=or");
  expect(read).toEqual({ scope: { segments: ["icu-*", "or"], sites: ["main"] } });
  expect("scope" in read && limitsText(read.scope)).toBe("site=main, segment=icu-*, segment=or");
  expect(readLimits(" ")).toEqual({ scope: {} });
});

it("says which part is no limit", () => {
  for (const text of ["icu", "floor=2", "site=", "=x", "site=a, b"]) expect(readLimits(text)).toHaveProperty("wrong");
});
