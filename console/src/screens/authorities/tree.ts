// The hierarchy as a tree: every authority under the one that signed it.
import type { Authority } from "./types";

export interface Branch {
  readonly authority: Authority;
  readonly below: readonly Branch[];
}

const byName = (one: Authority, other: Authority) => one.title.localeCompare(other.title, "en", { numeric: true });

/** Roots first; an authority whose parent is not of this Ward stands as a root. Nothing is drawn twice, even in a circle. */
export function treeOf(authorities: readonly Authority[]): readonly Branch[] {
  const known = new Set(authorities.map((each) => each.name));
  const drawn = new Set<string>();
  const branch = (authority: Authority): Branch => {
    drawn.add(authority.name);
    const below = authorities.filter((each) => each.parent === authority.name && !drawn.has(each.name)).sort(byName);
    return { authority, below: below.map(branch) };
  };
  const roots = authorities.filter((each) => each.parent === null || !known.has(each.parent)).sort(byName).map(branch);
  const left = authorities.filter((each) => !drawn.has(each.name));
  return [...roots, ...left.flatMap((each) => (drawn.has(each.name) ? [] : [branch(each)]))];
}
