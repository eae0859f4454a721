/** Where to go after signing in: a screen of this console and nothing else, whatever the address says (no open redirect). */
export function ownPath(next: string | undefined): string {
  // Printable ASCII without a backslash, which browsers take for a slash.
  if (next === undefined || !/^\/(?!\/)[!-[\]-~]*$/.test(next)) return "/";
  return next.startsWith("/sign-in") || next.startsWith("/welcome") || next.startsWith("/api/") ? "/" : next;
}
