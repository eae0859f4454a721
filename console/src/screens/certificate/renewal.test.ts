import { expect, test } from "vitest";
import type { ProfileView } from "../authorities/types";
import { wayOf } from "./renewal";

function profile(keys: Readonly<Record<string, unknown>>, approvals = 0): ProfileView {
  return { name: "server-tls", title: "TLS server", version: 3, approvals, citations: [], rules: { keys, validity: { default: "90d" } } as never };
}

const old = { key: "ec-p384", bits: 384 };

test("the new key is of the old one's kind, or else of the one that the profile prefers", () => {
  const mixed = profile({ "server-keys": true, algorithms: ["ecdsa-p256", "ecdsa-p384", "rsa-3072"] });
  expect(wayOf(mixed, old)).toEqual({ key: "ecdsa-p384", because: undefined, usual: "90d", needsEvidence: false });
  expect(wayOf(mixed, { key: "rsa", bits: 3072 }).key).toBe("rsa-3072");
  expect(wayOf(mixed, { key: "rsa", bits: 2048 }).key).toBe("ecdsa-p256");
});

test("where Ward makes no key, it says why", () => {
  const own = wayOf(profile({ algorithms: ["ecdsa-p384"] }), old);
  expect([own.key, own.because]).toEqual([undefined, expect.stringContaining("made where they are used")]);
  const held = wayOf(profile({ "server-keys": true, algorithms: ["ecdsa-p384"] }, 1), old);
  expect([held.key, held.because]).toEqual([undefined, expect.stringContaining("approval")]);
});

test("a profile that asks for evidence has it asked for", () => {
  const mail = { ...profile({ "server-keys": true, algorithms: ["ecdsa-p384"] }), rules: { keys: {}, permission: { evidence: true }, validity: {} } as never };
  expect(wayOf(mail, old).needsEvidence).toBe(true);
});
