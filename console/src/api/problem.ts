// A refusal has one shape (RFC 9457, docs/api.md): what happened, whose rule, what would be accepted. Here it becomes an
// error that can be thrown, and a fourth answer is added: what to do.

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly rule?: string | null;
  readonly source?: string | null;
  readonly accepted?: string | null;
  readonly request_id?: string | null;
}

export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }

  /** The last word of `urn:ward:problem:…`. */
  get kind(): string {
    return this.problem.type.split(":").pop() ?? "";
  }
}

/** What a person can do about a problem, by its kind and then by its status. */
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  malformed: "Correct what was sent; the text above says where it stops making sense.",
  unauthenticated: "Sign in again. What you were doing has not been done.",
  refused: "Change what the rule asks for, or ask somebody whose role allows it.",
  "step-up-required": "Confirm with your passkey, then try again.",
  "not-found": "It may have been removed, or the address is mistyped. Search for it.",
  conflict: "Somebody else was faster. Read it again, then decide.",
  "too-large": "Send less at once.",
  internal: "Report it with the request id; Ward's own log has the cause.",
  unavailable: "Nothing was done. Try again in a moment; if it stays, tell whoever runs Ward.",
  network: "Check the network, then try again. Nothing is lost: the page keeps what you typed.",
};

/** The session is too old for somebody's first passkey (docs/sign-in.md). */
export function isTooOldForPasskey(error: unknown): boolean {
  return error instanceof ApiProblem && error.problem.rule === "session.fresh";
}

export function whatToDo(problem: ApiProblem): string {
  if (isTooOldForPasskey(problem)) return "Sign out, sign in again, and make the passkey at once. What you were doing has not been done.";
  const known = WHAT_TO_DO[problem.kind];
  if (known !== undefined) return known;
  return problem.problem.status >= 500
    ? "Try again in a moment; if it stays, report it with the request id."
    : "Correct it and try again.";
}

/** Anything that was thrown, as a problem. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem({ type: "urn:ward:problem:console", title: "The console failed", status: 0, detail });
}

/** `column 16: …` in a refusal of a search: where, counted from 1. */
export function searchColumn(problem: ApiProblem): number | undefined {
  const found = /^column (\d+):/.exec(problem.problem.detail);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
