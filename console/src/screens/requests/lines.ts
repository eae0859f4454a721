import type { Tone } from "~/parts/Status";
import { holder, type Request } from "./types";

export interface Line {
  readonly at: number;
  readonly who: string;
  readonly did: string;
  readonly tone?: Tone | undefined;
  readonly text?: string | undefined;
}

/** What happened to a request and what was said about it, the oldest first. */
export function lines(request: Request, asker: string): readonly Line[] {
  const isReview = ["review", "reviewed", "objected"].includes(request.state);
  const said: Line[] = [{ at: request.created, who: asker, did: "asked" }];
  for (const comment of request.comments) {
    const evidence = (comment.evidence ?? []).filter((each) => each.text !== comment.text).map((each) => `${each.kind}: ${each.text}`);
    said.push({ at: comment.at, who: holder(comment.by.id), did: (comment.evidence ?? []).length > 0 ? "said, in support" : "said", text: [comment.text, ...evidence].join("\n") });
  }
  for (const hand of request.delegations) said.push({ at: hand.at, who: holder(hand.from.id), did: `handed the decision to ${hand.to}` });
  for (const decision of request.decisions) {
    const [yes, no] = isReview ? ["found it right", "objected"] : ["agreed", "denied"];
    said.push({ at: decision.at, who: holder(decision.by.id), did: decision.approved ? yes : no, tone: decision.approved ? "ok" : "critical", text: decision.why ?? undefined });
  }
  const { call } = request;
  if (call?.outcome) {
    const next = goesOnAs(call.outcome);
    const went = call.emergency ? "went ahead in an emergency" : next === undefined ? "made the change" : `asked on: another policy holds it as well, as request ${next}`;
    said.push({ at: call.outcome.at, who: call.emergency || call.execute === "by-asker" ? asker : "Ward", did: went, tone: call.outcome.status < 400 ? "low" : "critical", text: call.emergency ?? undefined });
  }
  return said.sort((a, b) => a.at - b.at);
}

/** The request under which a call waits that another policy caught as well when it was made. */
function goesOnAs(outcome: { readonly status: number; readonly body: string }): string | undefined {
  return outcome.status === 202 ? /"request":"(r[0-9a-f]{16})"/.exec(outcome.body)?.[1] : undefined;
}
