import type { components } from "~/api/schema.gen";

export type Issuer = components["schemas"]["IssuerView"];
export type RevocationList = components["schemas"]["ListView"];
export type ProfileView = components["schemas"]["ProfileView"];

/** An authority as people speak of it (ca/src/authority). */
export interface Authority {
  readonly name: string;
  readonly title: string;
  readonly purpose: string;
  readonly subject: string;
  readonly state: "active" | "offline" | "retired" | "held" | "revoked";
  readonly parent: string | null;
  /** The generation that issues now. */
  readonly issuer: string;
  readonly generations: readonly string[];
  readonly path_length: number | null;
  readonly name_constraints: Readonly<Record<string, readonly unknown[]>>;
}

/** `state` of `GET /api/v1/status`. */
export interface StatusReport {
  readonly responders: readonly { readonly issuer: string; readonly not_after: string }[];
}
