import { expect, test } from "vitest";
import type { EventsPage, LogEvent } from "../audit/events";
import { details, merged, stretches } from "./doings";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const CERTIFICATE = { serial: "0a1b", sha256: "ff".repeat(32), starts: Date.parse("2026-03-01T08:00:00Z") / 1000, revoked_at: null };

function event(seq: number, more: Partial<LogEvent> = {}): LogEvent {
  return { seq, time: "2026-03-01T08:00:00Z", actor: { kind: "person", id: "ada" }, action: "certificate.issue", object: { kind: "certificate", id: "0a1b" }, outcome: "done", ...more };
}

test("the log is read from its end and around what happened long ago", () => {
  expect(stretches(CERTIFICATE, NOW)).toEqual([
    { object: "0a1b" },
    { object: "ff".repeat(32) },
    { object: "0a1b", since: "2026-03-01T07:00:00Z", until: "2026-03-02T08:00:00Z" },
  ]);
  const revoked = { ...CERTIFICATE, revoked_at: NOW / 1000 - 60 };
  expect(stretches(revoked, NOW)[3]).toEqual({ object: "0a1b", since: "2026-11-22T10:59:00Z", until: "2026-11-22T12:00:00Z" });
});

test("nothing is asked of the future", () => {
  const coming = { ...CERTIFICATE, starts: NOW / 1000 + 3600, revoked_at: NOW / 1000 + 60 };
  expect(stretches(coming, NOW)).toHaveLength(2);
});

test("an event that several stretches hold is there once, the newest first", () => {
  const page = (...events: LogEvent[]): EventsPage => ({ size: 9, events });
  expect(merged([page(event(7), event(3)), page(event(3)), page(event(5))]).map(({ seq }) => seq)).toEqual([7, 5, 3]);
});

test("reason, profile, approval and evidence are told", () => {
  const after = { profile: "server-tls", approved_request: "r0190", evidence: [{ kind: "ticket", text: "CHG-1" }, { kind: "csr" }, null] };
  expect(details(event(1, { after }))).toEqual(["profile server-tls", "agreed to in request r0190", "ticket: CHG-1", "csr: given"]);
  expect(details(event(2, { why: "stolen", after: { reason: "keyCompromise" } }))).toEqual(["stolen", "reason keyCompromise"]);
  expect(details(event(3))).toEqual([]);
});
