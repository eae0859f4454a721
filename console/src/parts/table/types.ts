// What a screen says about a table; everything else is the table's own business.
import type { ReactNode } from "react";

export interface Column<T> {
  readonly id: string;
  readonly header: string;
  /** What stands in the cell. Text from outside goes through <Name line>. */
  readonly cell: (row: T) => ReactNode;
  /** The same as plain text, for exports. */
  readonly text: (row: T) => string;
  /** Pixels that the column has at least; what is left is shared by `grow`. */
  readonly width: number;
  readonly grow?: number;
  readonly align?: "start" | "end";
  /** Not shown until somebody chooses it. */
  readonly hidden?: boolean;
  /** The server's name for an order by this column, where it has one. */
  readonly sort?: string;
  /** Which way the server orders by it. */
  readonly order?: "ascending" | "descending";
  /** Compares rows that are all here already; for tables without a server order. */
  readonly compare?: (a: T, b: T) => number;
  /** Said first on a phone, where a row is a card. */
  readonly lead?: boolean;
}

export interface Selection {
  readonly chosen: ReadonlySet<string>;
  readonly change: (chosen: ReadonlySet<string>) => void;
}

export interface DataTableProps<T> {
  /** Under which the choice of columns is kept in this browser. */
  readonly id: string;
  /** What the table holds, for screen readers: "Certificates". */
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string;
  /** What opens a row: Enter, double click, and a link in the first cell. */
  readonly href?: (row: T) => string;
  readonly isLoading?: boolean;
  readonly error?: unknown;
  readonly onRetry?: () => void;
  /** Cursor paging: called when the end comes near. */
  readonly hasMore?: boolean;
  readonly onMore?: () => void;
  readonly isLoadingMore?: boolean;
  /** How many there are in all, where somebody counted. */
  readonly total?: number | undefined;
  readonly sort?: string | undefined;
  readonly onSort?: (sort: string) => void;
  readonly selection?: Selection;
  /** Drawn in the bar above the rows while something is selected. */
  readonly bulk?: ReactNode;
  /** Exports of the server, which reach to the end of the list; without them the loaded rows are exported as CSV. */
  readonly exports?: readonly { readonly label: string; readonly href: string }[];
  readonly empty: ReactNode;
  /** Tools at the left of the bar: filters, views. */
  readonly tools?: ReactNode;
}
