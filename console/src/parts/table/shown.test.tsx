import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Name } from "../Name";
import { Time } from "../Time";
import { fileName, shownCsv } from "./shown";

function table(...cells: React.ReactNode[]): string {
  const { container } = render(<table><thead><tr><th>What</th></tr></thead><tbody><tr>{cells.map((cell, at) => <td key={at}>{cell}</td>)}</tr></tbody></table>);
  return shownCsv(container);
}

test("names are whole, and harmless in a spreadsheet", () => {
  const long = `O=${"x".repeat(300)}`;
  expect(table(<Name key="l" text={long} most={40} />)).toBe(`What\r\n${long}\r\n`);
  expect(table(<Name key="f" text="=1+1" />, <Name key="c" text={'a "b", c'} />, <Name key="r" text={"a\u202Eb"} />)).toBe(`What\r\n'=1+1,"a ""b"", c",a\\u{202E}b\r\n`);
});

test("an instant is exact; lists are one cell; what is to be pressed or is for the eye only is left out", () => {
  const at = Date.parse("2026-03-01T08:30:15Z");
  const list = <ul><li>one</li><li>two</li></ul>;
  expect(table(<Time at={at} as="relative" />, list, <button type="button">End it</button>, <span><span aria-hidden="true">03.</span><span className="sr-only">Week from 2026-03-02</span></span>))
    .toBe("What\r\n2026-03-01T08:30:15.000Z,one; two,,Week from 2026-03-02\r\n");
});

test("a file is named after what is in it", () => {
  expect(fileName("Ends by segment and week")).toBe("ends-by-segment-and-week.csv");
});
