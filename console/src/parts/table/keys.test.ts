import { expect, test } from "vitest";
import { keyed } from "./keys";

const plain = { shiftKey: false, ctrlKey: false, metaKey: false };

function press(key: string, current: number, shiftKey = false) {
  const did: string[] = [];
  const used = keyed({ ...plain, key, shiftKey }, { current, count: 100, page: 20 }, {
    moveTo: (index) => did.push(`move ${index}`),
    open: (index) => did.push(`open ${index}`),
    choose: (index, isRange) => did.push(`${isRange ? "range" : "choose"} ${index}`),
    clear: () => did.push("clear"),
  });
  return used ? did.join(", ") : undefined;
}

test("keys of a grid (WAI-ARIA authoring practices, grid)", () => {
  expect(press("ArrowDown", 3)).toBe("move 4");
  expect(press("ArrowUp", 0)).toBe("move 0");
  expect(press("PageDown", 90)).toBe("move 99");
  expect(press("Home", 50)).toBe("move 0");
  expect(press("End", 50)).toBe("move 99");
  expect(press("ArrowDown", 3, true)).toBe("range 4, move 4");
  expect(press(" ", 3)).toBe("choose 3");
  expect(press("Enter", 3)).toBe("open 3");
  expect(press("Escape", 3)).toBe("clear");
  expect(press("x", 3)).toBeUndefined();
});
