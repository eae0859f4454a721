// When somebody was last here, so that the overview can say what is new since then. The server keeps no such thing of people;
// this browser does, one instant a person.

interface Kept {
  /** When the visit that goes on now began: the session's own instant. */
  readonly session: number;
  /** When the overview was last read in it. */
  readonly seen: number;
  /** When it was last read in the visit before. */
  readonly before?: number;
}

/** What is kept after the overview is read at `now`, in a session since `session`. */
export function visited(kept: Kept | undefined, session: number, now: number): Kept {
  if (kept === undefined) return { session, seen: now };
  const before = kept.session === session ? kept.before : kept.seen;
  return before === undefined ? { session, seen: now } : { session, seen: now, before };
}

function read(key: string): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "") as Partial<Kept>;
    const isWhole = typeof kept.session === "number" && typeof kept.seen === "number";
    return isWhole ? (kept as Kept) : undefined;
  } catch {
    return undefined;
  }
}

/** Marks this visit and answers when the last one was, RFC 3339; nothing on the first. */
export function lastVisit(person: string, session: number, now = Date.now()): string | undefined {
  const key = `ward.visit.${person}`;
  const kept = visited(read(key), session, now);
  try {
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing has no last visit; the server then takes the last day.
  }
  return kept.before === undefined ? undefined : new Date(kept.before).toISOString().replace(/\.\d{3}Z$/, "Z");
}
