import { expect, test } from "vitest";
import { ownPath } from "./next";

test("only a screen of this console follows a sign-in (CWE-601)", () => {
  expect(ownPath("/inventory?q=phi")).toBe("/inventory?q=phi");
  for (const bad of [undefined, "", "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tevil", "/sign-in?next=/x", "/api/v1/session"]) {
    expect(ownPath(bad), bad).toBe("/");
  }
});
