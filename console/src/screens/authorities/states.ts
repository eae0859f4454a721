import type { Tone } from "~/parts/Status";

/** Where an authority or one of its generations stands, as a person says it. */
export const STATES: Readonly<Record<string, readonly [tone: Tone, word: string]>> = {
  active: ["ok", "issues"],
  offline: ["low", "offline"],
  retired: ["none", "retired"],
  held: ["critical", "on hold"],
  revoked: ["critical", "revoked"],
  superseded: ["none", "superseded"],
};
