// Which certificates this Ward can revoke, why, and what stops with one (R15).
import { useQuery } from "@tanstack/react-query";
import { api } from "~/api/client";
import type { Listed } from "~/api/types";
import type { BlastRadius } from "../inventory/bulk-api";

/** RFC 5280 §5.3.1, as a person chooses among them. */
export const REASONS: readonly { readonly value: string; readonly label: string }[] = [
  { value: "superseded", label: "Superseded: another certificate took its place" },
  { value: "cessationOfOperation", label: "No longer used: the service or device is gone" },
  { value: "keyCompromise", label: "Key compromise: somebody else may have the key" },
  { value: "affiliationChanged", label: "Affiliation changed: it names what is no longer so" },
  { value: "privilegeWithdrawn", label: "Privilege withdrawn" },
  { value: "unspecified", label: "Another reason" },
];

export function canRevoke(row: Listed): boolean {
  return row.recorded && row.revoked === null;
}

/** Whether it was revoked at that instant (Unix milliseconds), or has been since. */
export function revokedBy(row: Listed, then: number): "then" | "later" | undefined {
  if (row.revoked === null) return undefined;
  return row.revoked_at !== null && row.revoked_at * 1000 > then ? "later" : "then";
}

export function useBlastRadius(sha256: string) {
  return useQuery({
    queryKey: ["certificate", sha256, "blast-radius"],
    queryFn: ({ signal }) => api.get<BlastRadius>("/api/v1/certificates/{id}/blast-radius", { path: { id: sha256 }, signal }),
  });
}

/** What asks for a word more than the press of a button. */
export function isGrave(radius: BlastRadius): boolean {
  return radius.life_support > 0 || radius.authorities > 0 || radius.flows.some((flow) => flow.stops);
}
