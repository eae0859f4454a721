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
  /** The reason code (RFC 5280 §5.3.1), if this Ward revoked it. */
  readonly revoked: number | null;
  /** Since when, Unix seconds. */
  readonly revoked_at: number | null;
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

/** `GET /api/v1/session`; times in Unix milliseconds. */
export interface Session {
  readonly person: { readonly id: string; readonly name: string; readonly email: string | null };
  readonly grants: readonly { readonly role: string; readonly scope?: Readonly<Record<string, readonly unknown[] | undefined>> | null }[];
  /** Names of actions; `*` in development only. */
  readonly actions: readonly string[];
  readonly via: string;
  /** `enrol`: may do nothing but register a passkey. */
  readonly purpose: "work" | "enrol";
  readonly since: number;
  readonly expires: number;
  readonly idle_expires: number;
  readonly stepped_up_until: number | null;
  readonly csrf: string;
  readonly passkeys: number;
  readonly recovery_codes: number;
}

/** `GET /api/v1/sign-in`. */
export interface Ways {
  readonly passkeys: boolean;
  readonly oidc: readonly { readonly name: string; readonly label: string }[];
  readonly certificate: boolean;
  readonly first_administrator: boolean;
  /** Whom to ask who cannot come in. */
  readonly contact?: string | null;
}

/** One certificate with everything that is known about it (fleet/src/search/show.rs). */
export interface Shown extends Listed {
  readonly pem: string;
  readonly signed_by: string | null;
  readonly same_key: readonly string[];
  readonly at: readonly ListedPlace[];
  readonly history: readonly Stay[];
  readonly open_findings: readonly ListedFinding[];
}

/** Times in Unix milliseconds but for `expires`, which is seconds. */
export interface ListedPlace {
  readonly id: number;
  readonly place: string;
  readonly kind: string;
  readonly segment: string | null;
  readonly asset: string | null;
  readonly certificate: string | null;
  readonly subject: string | null;
  readonly expires: number | null;
  readonly outcome: string;
  readonly detail: string;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly changed_at: number;
  readonly gone: number | null;
  readonly seen_by: string;
}

export interface Stay {
  readonly place: string;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly replaced_at: number | null;
}

export interface ListedFinding {
  readonly id: string;
  readonly rule: string;
  /** 1 note … 5 critical. */
  readonly severity: number;
  readonly what: string;
  readonly opened: number;
  readonly waived_until: number | null;
}

export interface Explained {
  readonly text: string;
  readonly level: string;
  readonly because: readonly { readonly what: string; readonly text: string }[];
  readonly action: string;
  readonly owner?: string;
  readonly protects: readonly unknown[];
}

export interface StoredView {
  readonly name: string;
  readonly query: string;
  readonly sort: string;
  readonly note?: string;
  /** 0 if it is built in or comes with a segment. */
  readonly version: number;
  readonly members: number | null;
  readonly looked_at: number | null;
}

/** Where an answer of the API points to: a screen and what it is asked. */
export interface ScreenLink {
  readonly path: string;
  readonly search: Readonly<Record<string, string>>;
}

export interface HeatCell {
  readonly all: number;
  readonly phi: number;
  readonly critical: number;
  readonly automated: number;
}

/** `GET /api/v1/overview`. */
export interface OverviewView {
  readonly counted_at: string;
  readonly as_of?: string;
  readonly today: readonly {
    readonly id: string;
    readonly severity: string;
    readonly count: number;
    readonly text: string;
    readonly link: ScreenLink;
    readonly mine: boolean;
  }[];
  readonly horizon: { readonly over: number; readonly months: readonly (HeatCell & { readonly month: string; readonly link: ScreenLink })[]; readonly later: number };
  readonly heat: {
    readonly weeks: readonly string[];
    readonly rows: readonly { readonly segment?: string; readonly weeks: readonly HeatCell[]; readonly link: ScreenLink }[];
    readonly cut: number;
  };
  readonly posture: { readonly score: number | null; readonly axes: readonly { readonly id: string; readonly title: string; readonly value: number | null }[] };
  readonly certificates: Readonly<Record<string, number>>;
}
