import { expect, test } from "vitest";
import { lines } from "./lines";
import { holder, type Request, sortOf } from "./types";
import { valueText } from "./value";

const ASKED = {
  id: "r1", kind: "certificate", state: "pending", profile: "code-signing", authority: "people", summary: "", names: [], on_behalf_of: [], evidence: [], needed: 1, approvals: 0,
  created: 100, expires: 900, decisions: [], comments: [], delegations: [], result: null, call: null, own: false, awaits_me: true,
  requester: { actor: { kind: "person", id: "ada/s1", role: null }, grants: [], token: null },
} as unknown as Request;
const by = (id: string) => ({ kind: "person", id, role: null });

test("what was said stands in the order of time, whoever said it", () => {
  const request = {
    ...ASKED,
    state: "denied",
    comments: [{ by: by("ben/s2"), at: 300, text: "which ticket?", evidence: [] }, { by: by("ada/s1"), at: 400, text: "CHG-1", evidence: [{ kind: "ticket", text: "CHG-1", sha256: null }] }],
    delegations: [{ from: by("ben/s2"), to: "cho", at: 500 }],
    decisions: [{ by: by("cho/s3"), at: 600, approved: false, why: "no contract" }],
  } as unknown as Request;
  expect(lines(request, "ada").map((line) => [line.who, line.did, line.text])).toEqual([
    ["ada", "asked", undefined],
    ["ben", "said", "which ticket?"],
    ["ada", "said, in support", "CHG-1"],
    ["ben", "handed the decision to cho", undefined],
    ["cho", "denied", "no contract"],
  ]);
});

test("a call that another policy holds as well says where it waits", () => {
  const call = (status: number, body: string) => ({ emergency: null, execute: "at-approval", outcome: { status, body, at: 700 } });
  const last = (status: number, body: string) => lines({ ...ASKED, kind: "call", call: call(status, body) } as unknown as Request, "ada").at(-1)?.did;
  expect(last(202, '{"request":"r0123456789abcdef","url":"/"}')).toContain("as request r0123456789abcdef");
  expect(last(202, '{"job":"j1"}')).toBe("made the change");
  expect(last(200, "")).toBe("made the change");
});

test("a request of a waiting device is told as one", () => {
  expect([sortOf(ASKED, new Map()), sortOf(ASKED, new Map([["r1", 1]])), sortOf({ ...ASKED, kind: "call" }, new Map([["r1", 1]]))]).toEqual(["certificate", "device", "call"]);
});

test("sessions and tokens are their holder's", () => {
  expect([holder("ada/s1"), holder("ada/t1"), holder("ada")]).toEqual(["ada", "ada", "ada"]);
});

test("values of a change are told so that nothing, empty and no differ", () => {
  expect([null, "", false, 12_000, [], ["a", "b"], { a: 1 }].map(valueText)).toEqual([undefined, "(empty)", "no", "12000", "(none)", "a, b", '{\n "a": 1\n}']);
});
