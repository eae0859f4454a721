// Times as a person reads them. A certificate's times are UTC by definition (RFC 5280 §4.1.2.5), and so are these.

const DAY = 86_400_000;

/** Milliseconds of an RFC 3339 text, or of a number in the unit that is said. */
export function instant(value: string | number, unit: "seconds" | "milliseconds" = "milliseconds"): number {
  if (typeof value === "string") return Date.parse(value);
  return unit === "seconds" ? value * 1000 : value;
}

/** `2026-11-22`. */
export function day(milliseconds: number): string {
  return Number.isFinite(milliseconds) && Math.abs(milliseconds) < 8.64e15 ? new Date(milliseconds).toISOString().slice(0, 10) : "—";
}

/** `2026-11-22 18:46 UTC`. */
export function minute(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || Math.abs(milliseconds) >= 8.64e15) return "—";
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** `in 12 days`, `3 hours ago`: the largest unit that says it. */
export function relative(milliseconds: number, now = Date.now()): string {
  const distance = milliseconds - now;
  const size = Math.abs(distance);
  const [count, unit] =
    size < 60_000
      ? [0, "now"]
      : size < 3_600_000
        ? [Math.floor(size / 60_000), "minute"]
        : size < DAY
          ? [Math.floor(size / 3_600_000), "hour"]
          : size < 90 * DAY
            ? [Math.floor(size / DAY), "day"]
            : size < 2 * 365 * DAY
              ? [Math.floor(size / (30.44 * DAY)), "month"]
              : [Math.floor(size / (365.25 * DAY)), "year"];
  if (unit === "now") return "now";
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return distance < 0 ? `${words} ago` : `in ${words}`;
}

/** Whole days from now; negative once it has passed. */
export function daysLeft(milliseconds: number, now = Date.now()): number {
  return Math.floor((milliseconds - now) / DAY);
}
