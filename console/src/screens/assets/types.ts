// The register's answers (fleet/src/asset.rs, holdings.rs, spare). Times say their unit.

export interface AssetRecord {
  readonly id: string;
  readonly kind: string;
  readonly serial: string;
  readonly udi?: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly host_names?: readonly string[];
  readonly owner?: string;
  readonly site?: string;
  readonly department?: string;
  readonly segment?: string;
  readonly criticality: string;
  readonly phi: boolean;
  readonly vendor?: string;
  /** Unix seconds. */
  readonly service_life_ends?: number;
  readonly renewal: string;
  readonly clock: string;
  readonly key_types?: readonly string[];
  readonly small_memory: boolean;
  readonly state: string;
  readonly source?: string;
  readonly note?: string;
}

export interface StoredAsset {
  readonly version: number;
  /** Unix milliseconds. */
  readonly since: number;
  readonly asset: AssetRecord;
}

export interface AssetPage {
  readonly assets: readonly StoredAsset[];
  readonly next: string | null;
}

export interface AssetVersion {
  readonly version: number;
  /** Unix milliseconds. */
  readonly valid_from: number;
  readonly valid_to: number | null;
  readonly asset: AssetRecord;
}

export interface Holding {
  readonly sha256: string;
  readonly issuer: string;
  readonly serial: string;
  readonly profile: string;
  readonly endpoint: string;
  readonly protocol: string;
  /** Unix seconds. */
  readonly not_before: number;
  readonly not_after: number;
  /** Unix milliseconds. */
  readonly issued_at: number;
  readonly superseded_at: number | null;
  readonly revoke_due: number | null;
  readonly revoke_reason: string | null;
  readonly ended: number | null;
  readonly state: "issued" | "revoked" | "held";
  /** Unix seconds. */
  readonly revoked_at: number | null;
}

export interface Retired {
  readonly asset: StoredAsset;
  readonly certificates: readonly Holding[];
  readonly revoked: number;
}

export interface Spare {
  readonly id: string;
  readonly asset: string;
  readonly state: "preparing" | "prepared" | "released" | "ended";
  readonly profile: string;
  readonly sha256: string;
  /** Unix milliseconds. */
  readonly prepared_at: number;
  readonly prepared_by: string;
  readonly unused_after: number;
  readonly request: string | null;
  readonly technician: string | null;
  readonly released_at: number | null;
  readonly released_by: string | null;
  readonly note: string;
}

export interface Right {
  readonly id: string;
  readonly endpoint: string | null;
  readonly for: "any" | { readonly asset: string } | { readonly batch: readonly string[] } | { readonly model: { readonly manufacturer: string; readonly model: string } };
  readonly credential: string | Readonly<Record<string, unknown>>;
  readonly uses: number | null;
  readonly used: number;
  /** Unix milliseconds. */
  readonly expires: number | null;
  readonly revoked: number | null;
  readonly note: string;
}

/** Which of the rights to enrol are good for this asset, and how directly. */
export function rightsFor(asset: AssetRecord, rights: readonly Right[]): readonly { readonly right: Right; readonly through: string }[] {
  const same = (one: string, other: string) => one.trim().toLowerCase() === other.trim().toLowerCase();
  return rights.flatMap((right) => {
    const scope = right.for;
    if (scope === "any") return [{ right, through: "any device" }];
    if ("asset" in scope) return scope.asset === asset.id ? [{ right, through: "this device" }] : [];
    if ("batch" in scope) return scope.batch.includes(asset.serial) ? [{ right, through: `one of ${scope.batch.length} serial numbers` }] : [];
    return same(scope.model.manufacturer, asset.manufacturer) && same(scope.model.model, asset.model) ? [{ right, through: "every device of its model" }] : [];
  });
}

export function isUsable(right: Right, now = Date.now()): boolean {
  return right.revoked === null && (right.expires === null || right.expires > now) && (right.uses === null || right.used < right.uses);
}

/** What is in force: neither revoked nor expired. Retiring the asset ends these. */
export function inForce(holdings: readonly Holding[], now = Date.now()): readonly Holding[] {
  return holdings.filter((holding) => holding.state !== "revoked" && holding.not_after * 1000 > now);
}

export function modelOf(asset: AssetRecord): string {
  return [asset.manufacturer, asset.model].filter((word) => word !== "").join(" ");
}

/** What a person calls it: what stands on its label, else its name in the network or the asset system. */
export function titleOf(asset: AssetRecord): string {
  return asset.serial || asset.host_names?.[0] || asset.source || asset.id;
}
