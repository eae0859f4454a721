import { expect, test } from "vitest";
import type { Session } from "~/api/types";
import { isOffered, SCREENS } from "./nav";

const ALL = ["read-inventory", "read-assets", "read-requests", "read-authorities", "read-audit"];
const session = (...grants: Session["grants"]) => ({ grants, actions: ALL }) as unknown as Session;
const offered = (of: Session) => SCREENS.filter((screen) => isOffered(screen, of)).map((screen) => screen.to);
const whole = { role: "auditor" };
const part = { role: "clinical-engineering", scope: { segments: ["devices"] } };
const names = { role: "issuer", scope: { profiles: ["server-*"] } };

test("who may see a part of the house is offered no screen that would refuse it", () => {
  expect(offered(session(part))).toEqual(["/", "/requests", "/inventory", "/assets", "/discovery", "/topology", "/authorities", "/audit", "/settings"]);
});

test("whose part is no segments is offered no topology, and whose is some is, whatever else they are granted", () => {
  const owner = { role: "integration", scope: { owners: ["ehr"] } };
  const both = { role: "clinical-engineering", scope: { segments: ["devices"], departments: ["icu"] } };
  expect(offered(session(owner, both))).toEqual(["/", "/requests", "/inventory", "/assets", "/discovery", "/authorities", "/audit", "/settings"]);
  expect(offered(session(owner, part))).toContain("/topology");
});

test("one grant for the whole house is enough, and limits on profiles are none on places", () => {
  expect(offered(session(part, whole))).toEqual(SCREENS.map((screen) => screen.to));
  expect(offered(session(names))).toEqual(SCREENS.map((screen) => screen.to));
});

test("what the session may not do is offered to nobody", () => {
  expect(offered({ ...session(whole), actions: ["read-audit"] })).toEqual(["/", "/audit", "/settings"]);
});
