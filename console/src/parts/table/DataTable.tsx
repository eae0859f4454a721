// The table that every list uses: virtual rows, pages by cursor, columns to choose from, order, selection, export, and all of
// it from the keyboard. A million rows cost as much as those on the screen.
//
// It is a grid (WAI-ARIA 1.2): one stop of the Tab key, arrows within it. On a phone each row is a card.
import { getCoreRowModel, useReactTable, type VisibilityState } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useLocalStorage, useMediaQuery } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type MouseEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { ProblemPanel } from "../ProblemPanel";
import { Bar } from "./Bar";
import { Head, Row } from "./Rows";
import type { Column, DataTableProps } from "./types";
import { keyed } from "./keys";
import { selected } from "./select";
import "./table.css";

const ROW = 33;
const CARD = 104;
/** Rows before the end at which the next page is asked for. */
const NEAR_END = 30;
/** Paper takes what is loaded, up to this. */
const PRINTED = 2000;

export function DataTable<T>(props: DataTableProps<T>) {
  const { id, label, columns, rowKey, href, selection } = props;
  const [visibility, setVisibility] = useLocalStorage<VisibilityState>({
    key: `ward.table.${id}`,
    defaultValue: Object.fromEntries(columns.filter((column) => column.hidden).map((column) => [column.id, false])),
    getInitialValueInEffect: false,
  });
  const rows = useOrdered(props);
  const table = useReactTable({
    data: useMemo(() => [...rows], [rows]),
    columns: useMemo(() => columns.map((column) => ({ id: column.id, accessorFn: column.text, header: column.header })), [columns]),
    state: { columnVisibility: visibility },
    onColumnVisibilityChange: setVisibility,
    getCoreRowModel: getCoreRowModel(),
    getRowId: rowKey,
  });
  const shown = columns.filter((column) => table.getColumn(column.id)?.getIsVisible() ?? true);

  const isCards = useMediaQuery("(max-width: 640px)", undefined, { getInitialValueInEffect: false }) ?? false;
  const isPrinting = usePrinting();
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (isCards ? CARD : ROW),
    overscan: 12,
    getItemKey: (index) => (rows[index] === undefined ? index : rowKey(rows[index])),
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const { hasMore = false, isLoadingMore = false, onMore } = props;
  useEffect(() => {
    if (hasMore && !isLoadingMore && lastShown >= rows.length - NEAR_END) onMore?.();
  }, [hasMore, isLoadingMore, lastShown, rows.length, onMore]);

  const [active, setActive] = useState(0);
  const current = Math.min(active, Math.max(rows.length - 1, 0));
  const gridId = useId();
  const navigate = useNavigate();
  const open = (index: number) => {
    const row = rows[index];
    if (row !== undefined && href !== undefined) void navigate({ to: href(row) });
  };
  const choose = (index: number, isRange: boolean) => {
    if (selection === undefined) return;
    selection.change(selected(rows, rowKey, selection.chosen, current, index, isRange));
  };
  const moveTo = (index: number) => {
    setActive(index);
    virtual.scrollToIndex(index, { align: "auto" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const did = keyed(event, { current, count: rows.length, page: Math.max(items.length - 14, 5) }, { moveTo, open, choose, clear: () => selection?.change(new Set()) });
    if (did) event.preventDefault();
  };

  if (props.error !== undefined && props.error !== null && rows.length === 0) return <ProblemPanel error={props.error} onRetry={props.onRetry} />;
  const track = ({ width, grow = 0 }: Column<T>) => (isPrinting ? `minmax(0, ${width}fr)` : `minmax(${width}px, ${grow > 0 ? `${grow}fr` : `${width}px`})`);
  const template = [selection && !isPrinting ? "34px" : "", ...shown.map(track)].join(" ");
  // Head and body are as wide as their columns at least, so that both divide the same space; paper has no more than it has.
  const least = shown.reduce((sum, column) => sum + column.width, selection ? 34 : 0);
  const indexes = isPrinting ? rows.slice(0, PRINTED).map((_, index) => index) : items.map((item) => item.index);
  return (
    <div className="table">
      <Bar {...props} shown={shown} visibility={visibility} onVisibility={(column, isOn) => setVisibility((old) => ({ ...old, [column]: isOn }))} loaded={rows} />
      <div
        ref={scroller}
        className={isCards ? "table-scroll table-cards" : "table-scroll"}
        role="grid"
        aria-label={label}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        aria-multiselectable={selection ? true : undefined}
        aria-activedescendant={rows.length > 0 ? `${gridId}-${current}` : undefined}
        aria-busy={props.isLoading ?? false}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <Head columns={shown} template={template} least={isPrinting ? 0 : least} selection={selection} rows={rows} rowKey={rowKey} sort={props.sort} onSort={props.onSort} />
        <div className="table-body" role="rowgroup" style={isPrinting ? undefined : { height: virtual.getTotalSize(), minWidth: isCards ? undefined : least }}>
          {indexes.map((index) => {
            const row = rows[index];
            if (row === undefined) return null;
            const item = items.find((each) => each.index === index);
            return (
              <Row
                key={rowKey(row)}
                id={`${gridId}-${index}`}
                index={index}
                row={row}
                columns={shown}
                template={template}
                top={isPrinting ? undefined : item?.start}
                measure={isCards ? virtual.measureElement : undefined}
                isActive={index === current}
                isChosen={selection?.chosen.has(rowKey(row)) ?? false}
                hasChoice={selection !== undefined}
                onChoose={(isRange) => {
                  choose(index, isRange);
                  // The next range begins here.
                  setActive(index);
                }}
                onClick={(event: MouseEvent) => {
                  setActive(index);
                  if (event.shiftKey) choose(index, true);
                }}
                onOpen={() => open(index)}
              />
            );
          })}
        </div>
        {props.isLoading && rows.length === 0 && <Loading />}
      </div>
      {!props.isLoading && rows.length === 0 && props.empty}
      {isLoadingMore && <p className="table-more" role="status">Reading more…</p>}
    </div>
  );
}

/** Placeholders in the place of rows: the page does not jump when they come. */
function Loading() {
  return (
    <div className="table-loading" role="row">
      <span role="gridcell" className="sr-only">Loading</span>
      {Array.from({ length: 8 }, (_, index) => <span key={index} aria-hidden="true" />)}
    </div>
  );
}

/** Rows in the chosen order where they are ordered here; the server's order otherwise. */
function useOrdered<T>({ rows, columns, sort }: DataTableProps<T>): readonly T[] {
  return useMemo(() => {
    const isDown = sort?.startsWith("-") ?? false;
    const compare = columns.find((column) => column.id === (isDown ? sort?.slice(1) : sort))?.compare;
    if (compare === undefined) return rows;
    const sorted = [...rows].sort(compare);
    return isDown ? sorted.reverse() : sorted;
  }, [rows, columns, sort]);
}

function usePrinting(): boolean {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    // The page is drawn for paper before the browser takes its picture.
    const before = () => flushSync(() => setPrinting(true));
    const after = () => setPrinting(false);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);
  return isPrinting;
}
