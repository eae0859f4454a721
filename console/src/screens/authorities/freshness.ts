// How fresh revocation lists are: a list that is over is worse than none, because peers stop to answer (RFC 5280 §5.1.2.5).
import type { Tone } from "~/parts/Status";

export interface Freshness {
  readonly tone: Tone;
  readonly word: string;
  /** Part of its time that has passed, 0 to 100. */
  readonly passed: number;
}

export function freshness(thisUpdate: number, nextUpdate: number, now = Date.now()): Freshness {
  const passed = Math.max(0, Math.min(100, ((now - thisUpdate) / Math.max(1, nextUpdate - thisUpdate)) * 100));
  if (now >= nextUpdate) return { tone: "critical", word: "over", passed: 100 };
  if (passed > 90) return { tone: "high", word: "nearly over", passed };
  return { tone: "ok", word: "fresh", passed };
}

/** The worst of an issuer's lists. */
export function worst(all: readonly Freshness[]): Freshness | undefined {
  const order: readonly Tone[] = ["critical", "high", "ok"];
  return [...all].sort((one, other) => order.indexOf(one.tone) - order.indexOf(other.tone) || other.passed - one.passed)[0];
}
