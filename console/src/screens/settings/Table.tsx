// A short list with things to do in its lines. Long ones are <DataTable>.
import type { ReactNode } from "react";
import { TableBox } from "~/parts/table/TableBox";

interface TableProps {
  readonly label: string;
  readonly heads: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
}

export function Table({ label, heads, rows }: TableProps) {
  return (
    <TableBox className="settings-scroll" label={label}>
      <table className="settings-table">
        <thead><tr>{heads.map((head) => <th key={head} scope="col">{head === "" ? <span className="sr-only">What to do</span> : head}</th>)}</tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>{row.cells.map((cell, at) => <td key={heads[at] ?? at} data-label={heads[at]}>{cell}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
