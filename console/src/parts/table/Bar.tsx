// Above the rows: filters of the screen, how many there are, columns, export; or, while rows are selected, what can be done
// with them.
import { Button, Menu } from "@mantine/core";
import { Icon } from "../Icon";
import { csv, download } from "./csv";
import type { Column, DataTableProps } from "./types";

interface BarProps<T> extends DataTableProps<T> {
  readonly shown: readonly Column<T>[];
  readonly loaded: readonly T[];
  readonly visibility: Readonly<Record<string, boolean>>;
  readonly onVisibility: (column: string, isOn: boolean) => void;
}

export function Bar<T>(props: BarProps<T>) {
  const { selection, bulk, tools, loaded, hasMore, total } = props;
  const chosen = selection?.chosen.size ?? 0;
  const count = total ?? loaded.length;
  return (
    <div className="table-bar">
      {chosen > 0 && selection ? (
        <div className="table-bulk" role="group" aria-label="With the selected rows">
          <strong aria-live="polite">{chosen.toLocaleString("en")} selected</strong>
          {bulk}
          <Button variant="subtle" size="compact-sm" onClick={() => selection.change(new Set())}>Clear</Button>
        </div>
      ) : (
        <div className="row">{tools}</div>
      )}
      <div className="row table-bar-end">
        <span className="quiet small nowrap" role="status">
          {count.toLocaleString("en")}{hasMore && total === undefined ? " loaded, more below" : ""}
        </span>
        <Menu closeOnItemClick={false} position="bottom-end">
          <Menu.Target>
            <Button variant="default" size="compact-sm" leftSection={<Icon name="columns" size={13} />}>Columns</Button>
          </Menu.Target>
          <Menu.Dropdown className="table-columns">
            {props.columns.map((column) => {
              const isOn = props.visibility[column.id] ?? true;
              return (
                <Menu.Item
                  key={column.id}
                  role="menuitemcheckbox"
                  aria-checked={isOn}
                  leftSection={isOn ? <Icon name="check" size={13} /> : <span className="table-unchecked" />}
                  onClick={() => props.onVisibility(column.id, !isOn)}
                >
                  {column.header}
                </Menu.Item>
              );
            })}
          </Menu.Dropdown>
        </Menu>
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" size="compact-sm" leftSection={<Icon name="export" size={13} />}>Export</Button>
          </Menu.Target>
          <Menu.Dropdown>
            {props.exports?.map((each) => (
              <Menu.Item key={each.href} component="a" href={each.href} download>{each.label}</Menu.Item>
            ))}
            <Menu.Item onClick={() => download(`${props.id}.csv`, csv(props.shown, loaded))}>
              {loaded.length.toLocaleString("en")} loaded rows, these columns (CSV)
            </Menu.Item>
            <Menu.Item onClick={() => window.print()}>Print</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
    </div>
  );
}
