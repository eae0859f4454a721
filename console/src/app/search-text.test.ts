import { expect, test } from "vitest";
import { asSearch, narrowed, quoted, sha256Of } from "./search-text";

test("plain words become a quoted text, searches stay as they are (docs/search-language.md)", () => {
  expect(asSearch("pacs 7")).toBe('"pacs 7"');
  expect(asSearch("pump-17.icu")).toBe('"pump-17.icu"');
  expect(asSearch("expires < 30d and phi")).toBe("expires < 30d and phi");
  expect(asSearch("phi")).toBe("phi");
  expect(asSearch("not expired")).toBe("not expired");
  expect(asSearch("  ")).toBe("");
  expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
});

test("a fingerprint goes straight to its certificate", () => {
  expect(sha256Of("4F:0A:91:22:33:44:55")).toBe("4f0a9122334455");
  expect(sha256Of("4f0a91")).toBeUndefined();
  expect(sha256Of("pump")).toBeUndefined();
});

test("a condition is added without changing what the search meant", () => {
  expect(narrowed("", "phi")).toBe("phi");
  expect(narrowed("a = 1 or b = 2", "phi")).toBe("(a = 1 or b = 2) and phi");
});
