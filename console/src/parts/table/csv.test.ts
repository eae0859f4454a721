import { expect, test } from "vitest";
import { csv, csvCell } from "./csv";

test("what a spreadsheet would run is text (OWASP, CSV injection)", () => {
  expect(csvCell('=HYPERLINK("http://evil")')).toBe(`"'=HYPERLINK(""http://evil"")"`);
  for (const start of ["=1", "+1", "-1", "@SUM(A1)"]) expect(csvCell(start)).toBe(`'${start}`);
  expect(csvCell("a=b")).toBe("a=b");
});

test("quotes, commas and line ends are quoted (RFC 4180 §2)", () => {
  expect(csvCell('say "hi", now')).toBe('"say ""hi"", now"');
  expect(csvCell("a\u202Eb")).toBe("a\\u{202E}b");
  const columns = [{ id: "a", header: "A", cell: String, text: String, width: 1 }];
  expect(csv(columns, ["x", "y"])).toBe("A\r\nx\r\ny\r\n");
});
