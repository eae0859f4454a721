// What differs between two versions of a record, as texts that a person can compare.

export interface Change {
  readonly field: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Unix seconds among the fields. */
const TIMES: ReadonlySet<string> = new Set(["service_life_ends"]);

function shown(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (TIMES.has(field) && typeof value === "number") return new Date(value * 1000).toISOString().slice(0, 10);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(String).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | number);
}

export function changed(before: object, after: object): readonly Change[] {
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  return fields
    .map((field) => ({ field: field.replaceAll("_", " "), before: shown(field, old[field]), after: shown(field, now[field]) }))
    .filter((change) => change.before !== change.after);
}
