/** A JSON value as a person reads it; nothing for what is not there. */
export function valueText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value === "" ? "(empty)" : value;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return value.toLocaleString("en", { useGrouping: false });
  if (Array.isArray(value)) return value.length === 0 ? "(none)" : value.every((each) => typeof each !== "object") ? value.map(String).join(", ") : JSON.stringify(value, null, 1);
  return JSON.stringify(value, null, 1);
}
