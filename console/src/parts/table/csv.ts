// The rows that are here, as CSV (RFC 4180). Names are made by whoever made the certificate: what a spreadsheet would take
// for a formula gets an apostrophe in front, as the server's exports have it (docs/inventory.md).
import type { Column } from "./types";
import { visible } from "~/text/visible";

export function csvCell(text: string): string {
  const shown = visible(text).map((piece) => (piece.mark ? `\\u{${piece.text.slice(2)}}` : piece.text)).join("");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${shown}` : shown;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [columns.map((column) => csvCell(column.header))];
  for (const row of rows) lines.push(columns.map((column) => csvCell(column.text(row))));
  return lines.map((cells) => `${cells.join(",")}\r\n`).join("");
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
