// Grants as people write them on the command line, too: `segment=icu-*, site=main` (docs/people-and-roles.md).
import type { Grant, Scope } from "./types";

/** The word that is written, and the list of the scope that it goes into. */
const LIMITS = [
  ["site", "sites"],
  ["segment", "segments"],
  ["department", "departments"],
  ["owner", "owners"],
  ["profile", "profiles"],
  ["authority", "authorities"],
  ["name", "names"],
] as const;

export function limitsText(scope: Scope | null | undefined): string {
  return LIMITS.flatMap(([word, list]) => (scope?.[list] ?? []).map((value) => `${word}=${value}`)).join(", ");
}

/** The scope, or what is wrong with the text. */
export function readLimits(text: string): { readonly scope: Scope } | { readonly wrong: string } {
  const scope: Record<string, string[]> = {};
  for (const part of text.split(",").map((each) => each.trim()).filter((each) => each !== "")) {
    const at = part.indexOf("=");
    const limit = LIMITS.find(([word]) => word === part.slice(0, at).trim());
    const value = part.slice(at + 1).trim();
    if (at < 1 || limit === undefined || value === "") return { wrong: `“${part}” is no limit: ${LIMITS.map(([word]) => word).join(", ")}, each with = and a value` };
    (scope[limit[1]] ??= []).push(value);
  }
  return { scope };
}

export function isEverywhere(grant: Grant): boolean {
  return limitsText(grant.scope) === "";
}
