// Which rows are selected after a click or a key. A range goes from the row that was chosen or reached last to this one.

export function selected<T>(rows: readonly T[], keyOf: (row: T) => string, chosen: ReadonlySet<string>, from: number, to: number, isRange: boolean): ReadonlySet<string> {
  const row = rows[to];
  if (row === undefined) return chosen;
  const next = new Set(chosen);
  if (!isRange) {
    if (!next.delete(keyOf(row))) next.add(keyOf(row));
    return next;
  }
  for (const each of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(keyOf(each));
  return next;
}
