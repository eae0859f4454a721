// A profile's fields (docs/profiles.md), in the words of a person.
import type { ProfileView } from "./types";

type Rules = Readonly<Record<string, unknown>>;

export interface Known {
  readonly class: string;
  readonly issuedBy: readonly string[];
  readonly algorithms: readonly string[];
  readonly serverKeys: boolean;
  readonly max: string;
  readonly usual: string;
  readonly exception: string | undefined;
  readonly renewal: string;
  readonly keyUsage: readonly string[];
  readonly extendedUsage: readonly string[];
  readonly roles: readonly string[];
  readonly needsEvidence: boolean;
  readonly subject: readonly (readonly [attribute: string, rule: string])[];
  readonly names: readonly (readonly [kind: string, rule: string])[];
}

export function rulesOf(profile: ProfileView): Known {
  const rules = profile.rules as Rules;
  const [keys, usage, validity, permission] = [table(rules["keys"]), table(rules["usage"]), table(rules["validity"]), table(rules["permission"])];
  return {
    class: word(rules["class"]),
    issuedBy: words(rules["issued-by"]),
    algorithms: words(keys["algorithms"]),
    serverKeys: keys["server-keys"] === true,
    max: word(validity["max"]),
    usual: word(validity["default"]),
    exception: word(validity["exception-max"]) || undefined,
    renewal: word(validity["renewal"]),
    keyUsage: words(usage["key"]),
    extendedUsage: words(usage["extended"]),
    roles: words(permission["roles"]),
    needsEvidence: permission["evidence"] === true,
    subject: Object.entries(table(rules["subject"])).map(([attribute, rule]) => [attribute, said(rule)] as const),
    names: Object.entries(table(rules["names"]))
      .filter(([, rule]) => typeof rule === "object")
      .map(([kind, rule]) => [kind, said(rule)] as const),
  };
}

function table(value: unknown): Rules {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Rules) : {};
}

function word(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function words(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))) : [];
}

/** A rule of an attribute or a kind of name: `from request, required, at most 2`. */
function said(rule: unknown): string {
  if (typeof rule !== "object" || rule === null) return word(rule);
  const parts = Object.entries(rule as Rules)
    .filter(([key, value]) => value !== false && value !== null && !(key === "min" && value === 0))
    .map(([key, value]) => {
      if (value === true) return key;
      if (key === "max") return `at most ${word(value)}`;
      if (key === "min") return `at least ${word(value)}`;
      if (Array.isArray(value)) return value.length === 0 ? "" : `${key} ${value.map(String).join(", ")}`;
      return `${key} ${typeof value === "object" ? JSON.stringify(value) : word(value)}`;
    });
  return parts.filter((part) => part !== "").join("; ") || "allowed";
}
