// Shapes of answers that the OpenAPI document calls plain objects. Times that are numbers say their unit.

/** One line of the inventory (fleet/src/search/page.rs). */
export interface Listed {
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly names: readonly string[];
  readonly key: string;
  readonly bits: number;
  readonly signature: string;
  /** Unix seconds. */
  readonly starts: number;
  readonly expires: number;
  readonly ca: boolean;
  readonly self_signed: boolean;
  readonly authority: string | null;
  readonly recorded: boolean;
  /** Unix seconds. */
  readonly revoked: number | null;
  /** Unix milliseconds. */
  readonly first_seen: number;
  readonly last_seen: number;
  readonly how: readonly string[];
  readonly places: number;
  readonly asset: string | null;
  readonly owner: string | null;
  readonly owner_by: string | null;
  readonly segment: string | null;
  readonly site: string | null;
  readonly vendor: string | null;
  readonly environment: string | null;
  readonly tags: readonly string[];
  readonly criticality: string;
  readonly phi: boolean;
  readonly patient_facing: boolean;
  readonly risk: Risk;
  readonly findings: number;
}

export type Risk = "none" | "low" | "medium" | "high" | "critical";

export interface InventoryPage {
  readonly certificates: readonly Listed[];
  readonly next: string | null;
  readonly members?: number;
  readonly looked_at?: number | null;
}

export interface Session {
  readonly person: { readonly id: string; readonly name: string; readonly email: string | null };
  readonly grants: readonly { readonly role: string; readonly scope: unknown }[];
  /** Names of actions; `*` in development only. */
  readonly actions: readonly string[];
  readonly via: string;
  readonly since: string;
  readonly expires: string;
  readonly idle_expires: string;
  readonly stepped_up_until: string | null;
  readonly csrf: string;
}
