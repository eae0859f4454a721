// A time in a sentence or a table: the exact one for machines and on hover, the useful one for people.
import { day, minute, relative } from "~/text/time";

interface TimeProps {
  /** Milliseconds. */
  readonly at: number;
  /** `day`: 2026-11-22; `minute`: with time of day; `relative`: in 12 days. */
  readonly as?: "day" | "minute" | "relative";
}

export function Time({ at, as = "day" }: TimeProps) {
  if (!Number.isFinite(at)) return <span className="quiet">—</span>;
  const shown = as === "day" ? day(at) : as === "minute" ? minute(at) : relative(at);
  const exact = minute(at);
  return (
    <time dateTime={Math.abs(at) < 8.64e15 ? new Date(at).toISOString() : undefined} title={exact} className="nowrap">
      {shown}
    </time>
  );
}
