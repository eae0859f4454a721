// What a person types into a search field that is not meant for experts, as the search language has it
// (docs/search-language.md).

/** The beginning of a SHA-256, colons allowed, long enough to mean one. */
export function sha256Of(text: string): string | undefined {
  const hex = text.trim().replaceAll(":", "").toLowerCase();
  return /^[0-9a-f]{12,64}$/.test(hex) ? hex : undefined;
}

const OPERATOR = /[<>=~()"]/;
const WORD = /^(not |and |or )|\b(and|or|as of)\b/i;
/** Fields that are a search by themselves. */
const ALONE = new Set(["expired", "shared-key", "ca", "self-signed", "unknown-issuer", "recorded", "revoked", "asset", "owner", "unowned", "phi", "patient-facing"]);

/** What is no search already is looked for in subject, issuer and names. */
export function asSearch(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "" || OPERATOR.test(trimmed) || WORD.test(trimmed) || ALONE.has(trimmed.toLowerCase())) return trimmed;
  return quoted(trimmed);
}

/** A text in quotes, as the language reads it. */
export function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A search with one more condition. */
export function narrowed(search: string, condition: string): string {
  const trimmed = search.trim();
  if (trimmed === "") return condition;
  return /\bor\b/i.test(trimmed) ? `(${trimmed}) and ${condition}` : `${trimmed} and ${condition}`;
}
