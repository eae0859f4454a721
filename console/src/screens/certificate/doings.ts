// What the log has about one certificate: which stretches of it are read, and the events of all of them in their order.
import type { Shown } from "~/api/types";
import type { EventsPage, LogEvent } from "../audit/events";

const HOUR = 3_600_000;

/** What is asked of the log. A word in `object` is a serial number or a fingerprint: events of issuance and revocation name the one, others the other. */
export interface Stretch {
  readonly object: string;
  readonly since?: string;
  readonly until?: string;
}

/** The newest events, and those around its issuance and its revocation, however long ago: one answer looks at 20,000 events. */
export function stretches(certificate: Pick<Shown, "serial" | "sha256" | "starts" | "revoked_at">, now: number): readonly Stretch[] {
  const around = (seconds: number, before: number, after: number): Stretch => {
    const at = seconds * 1000;
    return { object: certificate.serial, since: instant(at - before), until: instant(Math.min(at + after, now)) };
  };
  const { serial, sha256, starts, revoked_at } = certificate;
  return [
    { object: serial },
    { object: sha256 },
    // Its beginning may be set a while back, so that slow clocks accept it.
    ...(starts * 1000 <= now ? [around(starts, HOUR, 24 * HOUR)] : []),
    ...(revoked_at !== null && revoked_at * 1000 <= now ? [around(revoked_at, HOUR, HOUR)] : []),
  ];
}

function instant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** Every event once, the newest first. */
export function merged(pages: readonly EventsPage[]): readonly LogEvent[] {
  const bySeq = new Map(pages.flatMap((page) => page.events).map((event) => [event.seq, event]));
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq);
}

/** What is worth a line beside who and when: the reason of a revocation, the profile, who agreed, what was shown as evidence. */
export function details(event: LogEvent): readonly string[] {
  const after = (event.after ?? {}) as Readonly<Record<string, unknown>>;
  const lines: string[] = [];
  if (event.why !== undefined) lines.push(event.why);
  if (typeof after["reason"] === "string") lines.push(`reason ${after["reason"]}`);
  if (typeof after["profile"] === "string") lines.push(`profile ${after["profile"]}`);
  if (typeof after["approved_request"] === "string") lines.push(`agreed to in request ${after["approved_request"]}`);
  const evidence = Array.isArray(after["evidence"]) ? (after["evidence"] as readonly unknown[]) : [];
  for (const each of evidence) {
    const { kind, text } = (each ?? {}) as { readonly kind?: unknown; readonly text?: unknown };
    if (typeof kind === "string") lines.push(`${kind}: ${typeof text === "string" ? text : "given"}`);
  }
  return lines;
}
