// A table of the page as CSV: what its cells say, whole and exact, without what there is to press.
import { csvCell } from "./csv";

export function shownCsv(box: HTMLElement): string {
  const rows = [...box.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => csvCell(said(cell).replaceAll(/[ \n]+/g, " ").trim())));
  return rows.map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** `Places` becomes `places.csv`. */
export function fileName(label: string): string {
  return `${label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.csv`;
}

function said(node: Node): string {
  if (node instanceof Text) return node.data;
  if (!(node instanceof Element) || node.matches("button, svg, [aria-hidden='true']")) return "";
  // An instant is exact, a name is whole, whatever the page has room for.
  if (node instanceof HTMLTimeElement && node.dateTime !== "") return node.dateTime;
  if (node instanceof HTMLElement && node.dataset["whole"] !== undefined) return node.dataset["whole"];
  const parts = [...node.childNodes].map(said);
  return node.matches("ul, ol") ? parts.filter((part) => part !== "").join("; ") : parts.join("");
}
