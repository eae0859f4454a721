// What stops if certificates are revoked, as far as Ward knows it (R15).
import type { Listed } from "~/api/types";

/** RFC 5280 §5.3.1, as a person chooses among them. */
export const REASONS: readonly { readonly value: string; readonly label: string }[] = [
  { value: "superseded", label: "Superseded: another certificate took its place" },
  { value: "cessationOfOperation", label: "No longer used: the service or device is gone" },
  { value: "keyCompromise", label: "Key compromise: somebody else may have the key" },
  { value: "affiliationChanged", label: "Affiliation changed: it names what is no longer so" },
  { value: "privilegeWithdrawn", label: "Privilege withdrawn" },
  { value: "unspecified", label: "Another reason" },
];

export interface Radius {
  readonly certificates: number;
  readonly places: number;
  readonly phi: number;
  readonly patientFacing: number;
  readonly authorities: number;
  /** Those that this Ward cannot revoke: it did not issue them, or they are revoked already. */
  readonly cannot: number;
  readonly owners: readonly string[];
  readonly segments: readonly string[];
}

export function canRevoke(row: Listed): boolean {
  return row.recorded && row.revoked === null;
}

export function radius(rows: readonly Listed[]): Radius {
  const able = rows.filter(canRevoke);
  const count = (holds: (row: Listed) => boolean) => able.filter(holds).length;
  const words = (of: (row: Listed) => string | null) => [...new Set(able.map(of).filter((word) => word !== null))].sort();
  return {
    certificates: able.length,
    places: able.reduce((sum, row) => sum + row.places, 0),
    phi: count((row) => row.phi),
    patientFacing: count((row) => row.patient_facing),
    authorities: count((row) => row.ca),
    cannot: rows.length - able.length,
    owners: words((row) => row.owner),
    segments: words((row) => row.segment),
  };
}
