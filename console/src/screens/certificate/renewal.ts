// How a certificate can be renewed: with a key that Ward makes where its profile lets it, else by a request of whoever holds
// the key.
import { rulesOf } from "../authorities/rules";
import type { ProfileView } from "../authorities/types";

export interface Way {
  /** What Ward would make; nothing where it makes none. */
  readonly key: string | undefined;
  /** Why it makes none. */
  readonly because: string | undefined;
  /** How long the new one is in force: `90d`. */
  readonly usual: string;
  /** Whether a request has to say what speaks for it. */
  readonly needsEvidence: boolean;
}

/** The new key is of the kind of the old one as long as the profile takes that, else of the kind that it prefers. */
export function wayOf(profile: ProfileView, old: { readonly key: string; readonly bits: number }): Way {
  const { algorithms, serverKeys, usual, needsEvidence } = rulesOf(profile);
  const same = old.key === "rsa" ? `rsa-${old.bits}` : old.key.replace(/^ec-/, "ecdsa-");
  if (profile.approvals > 0) {
    return { key: undefined, because: `Profile ${profile.name} asks for somebody’s approval, and a key would have to be kept until then: Ward makes none.`, usual, needsEvidence };
  }
  if (!serverKeys) {
    return { key: undefined, because: `Profile ${profile.name} wants keys made where they are used, so that none travels: Ward makes none.`, usual, needsEvidence };
  }
  return { key: algorithms.includes(same) ? same : algorithms[0], because: undefined, usual, needsEvidence };
}
