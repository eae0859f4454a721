/** What a person calls it: its common name, else its first name, else the whole subject. */
export function shortSubject(certificate: { readonly subject: string; readonly names: readonly string[]; readonly serial: string }): string {
  // RFC 4514 §2.4: a comma or plus that is part of a value stands behind a backslash. What Ward escapes beside that (`\0A`, `\u{202e}`) stays.
  const common = /(?:^|,)CN=((?:\\.|[^,+\\])+)/.exec(certificate.subject)?.[1];
  if (common !== undefined) return common.replace(/\\([ "#+,;<=>\\])/g, "$1");
  return certificate.names[0]?.replace(/^[a-z]+:/, "") ?? (certificate.subject === "" ? `serial ${certificate.serial}` : certificate.subject);
}
