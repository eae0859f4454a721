// One line of a table, and the line of its headings.
import type { CSSProperties, MouseEvent } from "react";
import { Icon } from "../Icon";
import type { Column, Selection } from "./types";

interface HeadProps<T> {
  readonly columns: readonly Column<T>[];
  readonly template: string;
  /** Pixels that the columns need together. */
  readonly least: number;
  readonly selection: Selection | undefined;
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string;
  readonly sort: string | undefined;
  readonly onSort: ((sort: string) => void) | undefined;
}

export function Head<T>({ columns, template, least, selection, rows, rowKey, sort, onSort }: HeadProps<T>) {
  const isAll = rows.length > 0 && rows.every((row) => selection?.chosen.has(rowKey(row)));
  return (
    <div className="table-head" role="rowgroup" style={{ minWidth: least }}>
      <div className="table-row" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
        {selection && (
          <div role="columnheader" className="table-cell table-choice">
            <input
              type="checkbox"
              aria-label="Select all that are loaded"
              checked={isAll}
              onChange={() => selection.change(isAll ? new Set() : new Set(rows.map(rowKey)))}
            />
          </div>
        )}
        {columns.map((column) => (
          <Heading key={column.id} column={column} sort={sort} onSort={onSort} />
        ))}
      </div>
    </div>
  );
}

function Heading<T>({ column, sort, onSort }: { readonly column: Column<T>; readonly sort: string | undefined; readonly onSort: ((sort: string) => void) | undefined }) {
  const name = column.sort ?? (column.compare ? column.id : undefined);
  const isOn = name !== undefined && (sort === name || sort === `-${name}`);
  const isDown = column.sort ? column.order === "descending" : sort === `-${name}`;
  const className = `table-cell ${column.align === "end" ? "table-end" : ""}`;
  if (name === undefined || onSort === undefined) {
    return <div role="columnheader" className={className}>{column.header}</div>;
  }
  // Orders of the server go one way, the useful one; those made here turn around.
  const next = column.compare && !column.sort && isOn && !isDown ? `-${name}` : name;
  return (
    <div role="columnheader" className={className} aria-sort={isOn ? (isDown ? "descending" : "ascending") : "none"}>
      <button type="button" className="table-sort" onClick={() => onSort(next)}>
        {column.header}
        {isOn ? <Icon name={isDown ? "down" : "up"} size={11} /> : <span className="table-sort-off" />}
      </button>
    </div>
  );
}

interface RowProps<T> {
  readonly id: string;
  readonly index: number;
  readonly row: T;
  readonly columns: readonly Column<T>[];
  readonly template: string;
  /** Pixels from the top; none on paper. */
  readonly top: number | undefined;
  readonly measure: ((element: Element | null) => void) | undefined;
  readonly isActive: boolean;
  readonly isChosen: boolean;
  readonly hasChoice: boolean;
  readonly onChoose: (isRange: boolean) => void;
  readonly onClick: (event: MouseEvent) => void;
  readonly onOpen: () => void;
}

export function Row<T>(props: RowProps<T>) {
  const { row, columns, template, top, isActive, isChosen, hasChoice } = props;
  const style: CSSProperties = { gridTemplateColumns: template };
  if (top !== undefined) style.transform = `translateY(${top}px)`;
  const className = ["table-row", top === undefined ? "" : "table-virtual", isActive ? "is-active" : "", isChosen ? "is-chosen" : ""].join(" ");
  return (
    <div
      ref={props.measure}
      data-index={props.index}
      id={props.id}
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={hasChoice ? isChosen : undefined}
      className={className}
      style={style}
      onClick={props.onClick}
      onDoubleClick={props.onOpen}
    >
      {hasChoice && (
        <div role="gridcell" className="table-cell table-choice">
          <input
            type="checkbox"
            aria-label="Select this row"
            tabIndex={-1}
            checked={isChosen}
            onChange={() => undefined}
            onClick={(event) => {
              event.stopPropagation();
              props.onChoose(event.shiftKey);
            }}
          />
        </div>
      )}
      {columns.map((column) => (
        <div key={column.id} role="gridcell" data-label={column.header} className={`table-cell ${column.align === "end" ? "table-end" : ""} ${column.lead ? "table-lead" : ""}`}>
          {column.cell(row)}
        </div>
      ))}
    </div>
  );
}
