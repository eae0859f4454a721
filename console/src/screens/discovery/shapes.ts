// Answers of the discovery's endpoints, which the OpenAPI document calls plain objects. Times in Unix milliseconds.

export interface Covered {
  readonly segment: string;
  readonly signed: boolean;
  readonly addresses: number;
  readonly excluded: number;
  readonly looked_at: number;
  readonly in_full: number;
  readonly never: number;
  readonly stale: number;
  readonly oldest: number | null;
  readonly newest: number | null;
  readonly exclusions: readonly { readonly range: string; readonly rule: string }[];
  readonly looked: readonly { readonly range: string; readonly ports: string; readonly at: number; readonly scan: string; readonly by: string }[];
  readonly never_ranges: readonly string[];
  readonly shortened: boolean;
  readonly astray: readonly unknown[];
}

export interface CoverageReport {
  readonly segments: readonly Covered[];
  readonly outside: number;
}

export interface Scan {
  readonly id: string;
  readonly segment: string;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly probed: number;
  readonly excluded: number;
  readonly stopped: number;
  readonly started_by: string;
  readonly scanner: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly note?: string;
}

export interface SegmentView {
  readonly version: number;
  readonly in_force: boolean;
  readonly signed: { readonly by: { readonly id: string }; readonly at: number } | null;
  readonly segment: {
    readonly name: string;
    readonly site?: string;
    readonly owner?: string;
    readonly relay?: string;
    readonly every_hours?: number;
    readonly ranges: readonly string[];
    readonly ports: readonly string[];
    readonly rate: number;
    readonly depth: string;
    readonly hours: readonly string[];
    readonly zone: string;
  };
}

export interface Finding {
  readonly id: string;
  readonly rule: string;
  readonly title: string;
  readonly severity: string;
  readonly subject: string;
  readonly what: string;
  readonly owner: string | null;
  readonly opened: number;
  readonly closed: number | null;
  readonly waived_until: number | null;
  readonly sha256: string | null;
  readonly certificate_subject: string | null;
  readonly segment: string | null;
  readonly place: string | null;
}

export interface Rule {
  readonly id: string;
  readonly title: string;
  readonly severity: string;
  readonly citation: string;
  readonly remedy: string;
}

/** One line of what is known of a segment's addresses. */
export interface Stretch {
  readonly what: "never" | "looked" | "left-out";
  readonly range: string;
  readonly at?: number;
  readonly by?: string;
  readonly scan?: string;
  readonly ports?: string;
  readonly rule?: string;
}

/** Every stretch of a segment: never looked at first, then the newest looks, then what is left out and by whose rule. */
export function stretches(covered: Covered): readonly Stretch[] {
  return [
    ...covered.never_ranges.map((range) => ({ what: "never" as const, range })),
    ...covered.looked.map(({ range, at, by, scan, ports }) => ({ what: "looked" as const, range, at, by, scan, ports })),
    ...covered.exclusions.map(({ range, rule }) => ({ what: "left-out" as const, range, rule })),
  ];
}

function number(address: string): number | undefined {
  const parts = address.split(".").map(Number);
  const isWhole = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256);
  return isWhole ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

/** How many addresses `10.0.0.1`, `10.0.0.0/29` or `10.0.0.1-10.0.0.9` are; nothing for IPv6, where counting says little. */
export function size(range: string): number | undefined {
  const [, first = "", prefix, last] = /^([0-9.]+)(?:\/(\d+)|-([0-9.]+))?$/.exec(range) ?? [];
  const from = number(first);
  if (from === undefined) return undefined;
  if (prefix !== undefined) return 2 ** (32 - Number(prefix));
  const to = last === undefined ? from : number(last);
  return to === undefined ? undefined : to - from + 1;
}
