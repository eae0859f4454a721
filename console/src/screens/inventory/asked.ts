// What the address of the screen asks of the API.

export interface Wanted {
  readonly q: string;
  readonly view: string | undefined;
  readonly sort: string | undefined;
  readonly asOf: string | undefined;
  /** The search of the view, for looking at it as of then: what a view keeps ready is of now. */
  readonly viewQuery?: string | undefined;
}

export interface Asked {
  readonly q?: string;
  readonly view?: string;
  readonly sort?: string;
}

/** Orders that the server has (fleet/src/search/page.rs). */
const SORTS: ReadonlySet<string> = new Set(["expires", "starts", "first-seen", "last-seen", "risk", "criticality", "findings", "places"]);

export function asked({ q, view, sort, asOf, viewQuery }: Wanted): Asked {
  const order = sort !== undefined && SORTS.has(sort) ? { sort } : {};
  if (view !== undefined && asOf === undefined) return { view };
  const search = view === undefined ? q.trim() : (viewQuery ?? "");
  // A search that says its own instant keeps it.
  if (asOf === undefined || /\bas\s+of\b/i.test(search)) return search === "" ? order : { q: search, ...order };
  const then = search === "" ? `as of ${asOf}` : `(${search}) as of ${asOf}`;
  return { q: then, ...order };
}
