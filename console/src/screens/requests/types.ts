// Requests as the API gives them, and what a person calls their parts.
import type { components } from "~/api/schema.gen";
import type { Tone } from "~/parts/Status";

export type Request = components["schemas"]["RequestShape"];

/** A device that asked for a certificate (crates/enroll/src/device). */
export interface Registration {
  readonly id: string;
  readonly endpoint: string;
  readonly protocol: string;
  readonly asset: string | null;
  readonly serial: string;
  readonly peer: string | null;
  readonly state: string;
  /** The request that it waits for. */
  readonly approval: string | null;
  /** Unix milliseconds. */
  readonly created: number;
}

export interface RegistrationPage {
  readonly registrations: readonly Registration[];
}

export const OPEN: ReadonlySet<string> = new Set(["pending", "approved", "executing", "review"]);

const STATES: Readonly<Record<string, readonly [tone: Tone, text: string]>> = {
  pending: ["medium", "waits"],
  approved: ["ok", "approved"],
  executing: ["low", "being done"],
  fulfilled: ["ok", "done"],
  failed: ["critical", "failed"],
  denied: ["high", "denied"],
  expired: ["none", "lapsed"],
  review: ["high", "to be reviewed"],
  reviewed: ["ok", "reviewed"],
  objected: ["critical", "objected to"],
};

export function stateOf(request: Pick<Request, "state">): readonly [tone: Tone, text: string] {
  return STATES[request.state] ?? ["none", request.state];
}

export type Sort = "call" | "certificate" | "device" | "spare";

export const SORTS: Readonly<Record<Sort, string>> = { call: "Change", certificate: "Certificate", device: "Device", spare: "Spare" };

export function sortOf(request: Request, devices: ReadonlyMap<string, unknown>): Sort {
  if (request.kind === "call" || request.kind === "spare") return request.kind;
  // What a device's request is supported by says which registration it is (crates/enroll/src/device).
  return devices.has(request.id) || request.evidence.some((each) => each.kind === "enrolment") ? "device" : "certificate";
}

/** `biomed/s0123` and `biomed/t0123` are biomed: what a person calls somebody is their name, not their session. */
export function holder(actor: string): string {
  return actor.split("/")[0] ?? actor;
}

/** Who asks, as a person calls them: a device asks by itself, under its serial number. */
export function askerOf(request: Request, device: Registration | undefined): string {
  return device === undefined ? holder(request.requester.actor.id) : `device ${device.serial}`;
}

/** What a request is about, in one line. */
export function titleOf(request: Request): string {
  if (request.call) return request.summary || `${request.call.method} ${request.call.path}`;
  return request.summary || request.names.join(", ") || request.profile;
}
