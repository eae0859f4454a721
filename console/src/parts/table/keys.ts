// What keys do in a table: arrows and their kin move, Space chooses, Enter opens, Escape lets go.

interface Key {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
}

interface Where {
  readonly current: number;
  readonly count: number;
  /** Rows on a screen. */
  readonly page: number;
}

interface Does {
  moveTo(index: number): void;
  open(index: number): void;
  choose(index: number, isRange: boolean): void;
  clear(): void;
}

/** Does what the key asks for; whether it asked for anything. */
export function keyed(key: Key, where: Where, does: Does): boolean {
  if (where.count === 0) return false;
  const target = moved(key.key, where);
  if (target !== undefined) {
    const within = Math.max(0, Math.min(where.count - 1, target));
    if (key.shiftKey) does.choose(within, true);
    does.moveTo(within);
    return true;
  }
  switch (key.key) {
    case "Enter":
      does.open(where.current);
      return true;
    case " ":
      does.choose(where.current, key.shiftKey);
      return true;
    case "Escape":
      does.clear();
      return true;
    default:
      return false;
  }
}

function moved(key: string, { current, count, page }: Where): number | undefined {
  switch (key) {
    case "ArrowDown":
      return current + 1;
    case "ArrowUp":
      return current - 1;
    case "PageDown":
      return current + page;
    case "PageUp":
      return current - page;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}
