// Events as the API answers them, and what the address of the screen asks.
import { pastInstant } from "~/app/as-of";

/** docs/audit.md has the fields. */
export interface LogEvent {
  readonly seq: number;
  readonly time: string;
  readonly actor: { readonly kind: string; readonly id: string; readonly role?: string };
  readonly action: string;
  readonly object: { readonly kind: string; readonly id: string };
  readonly outcome: string;
  readonly why?: string;
  readonly request?: string;
  readonly digest?: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface EventsPage {
  readonly size: number;
  readonly events: readonly LogEvent[];
  /** Unix milliseconds. */
  readonly began?: number;
  readonly next?: number;
  readonly looked_at?: number;
}

export const FILTERS = ["who", "action", "object", "outcome", "since", "until"] as const;

export type Filters = Readonly<Record<(typeof FILTERS)[number], string>>;

export function hasFilter(filters: Filters): boolean {
  return FILTERS.some((name) => filters[name] !== "");
}

/** The API's words for it. A day as beginning means its first moment, as end its last. */
export function wanted(filters: Filters, asOf: string | undefined): Readonly<Record<string, string | undefined>> {
  const { who, action, object, outcome, since, until } = filters;
  const begin = /^\d{4}-\d{2}-\d{2}$/.test(since) ? `${since}T00:00:00Z` : pastInstant(since);
  return { actor: who, action, object, outcome, since: begin ?? since, until: pastInstant(until) ?? until, as_of: asOf };
}
