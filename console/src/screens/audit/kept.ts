// What this browser keeps of the log, so that a log that was cut off or rewritten meanwhile is noticed. Losing it loses that
// and nothing else.
import type { Kept } from "./proof";

const PLACE = "ward.audit.kept";

export function readKept(): Kept | undefined {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "null");
    if (typeof found !== "object" || found === null) return undefined;
    const { key, note, at } = found as Partial<Kept>;
    return typeof key === "string" && typeof note === "string" && typeof at === "number" ? { key, note, at } : undefined;
  } catch {
    return undefined;
  }
}

export function keep(kept: Kept): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing shows each time that nothing was kept.
  }
}

export function forget(): void {
  localStorage.removeItem(PLACE);
}
