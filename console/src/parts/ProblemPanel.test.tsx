import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { ApiProblem, searchColumn } from "~/api/problem";
import { ProblemPanel } from "./ProblemPanel";

// The answer of `ward inventory search 'phi and risk > grave'` in docs/search-language.md, over REST.
const REFUSED = new ApiProblem({
  type: "urn:ward:problem:refused",
  title: "A rule refused the request",
  status: 422,
  detail: "column 16: `grave` is no value of `risk`",
  rule: "search.value",
  source: "docs/search-language.md",
  accepted: "none, low, medium, high, critical",
  request_id: "r-1",
});

test("a refusal says what happened, whose rule, what would be accepted and what to do (RFC 9457, R36)", () => {
  render(<MantineProvider><ProblemPanel error={REFUSED} /></MantineProvider>);
  const panel = screen.getByRole("alert");
  for (const text of ["column 16: `grave` is no value of `risk`", "docs/search-language.md", "search.value", "none, low, medium, high, critical", "Change what the rule asks for", "r-1"]) {
    expect(panel.textContent).toContain(text);
  }
});

test("whoever comes too late for a first passkey is told to sign in again, and not to ask for a role (R08)", () => {
  const late = new ApiProblem({
    type: "urn:ward:problem:refused",
    title: "A rule refused the request",
    status: 403,
    detail: "a first passkey is made soon after signing in",
    rule: "session.fresh",
    source: "R08",
    accepted: "sign out, sign in again, and make the passkey within 5 minutes",
  });
  render(<MantineProvider><ProblemPanel error={late} compact /></MantineProvider>);
  const panel = screen.getAllByRole("alert").at(-1);
  expect(panel?.textContent).toContain("Sign out, sign in again, and make the passkey at once");
  expect(panel?.textContent).toContain("within 5 minutes");
  expect(panel?.textContent).not.toContain("ask somebody whose role");
});

test("where in a search the mistake is can be told", () => {
  expect(searchColumn(REFUSED)).toBe(16);
});

test("an error that is no problem document is still told", () => {
  render(<MantineProvider><ProblemPanel error={new Error("boom")} /></MantineProvider>);
  expect(screen.getByRole("alert").textContent).toContain("boom");
});
