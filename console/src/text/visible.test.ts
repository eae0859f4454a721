import { expect, test } from "vitest";
import { clip, visible, visibleText } from "./visible";

const shown = (text: string) => visible(text).map((piece) => (piece.mark ? `<${piece.text}>` : piece.text)).join("");

test("what is plain text stays as it is, in any script", () => {
  for (const text of ["CN=pump-17.icu.mercy.example", "CN=Zürich Höngg", "CN=בית חולים", "CN=مستشفى", "CN=病院", "a=b&c<d>"]) {
    expect(shown(text)).toBe(text);
  }
});

test("characters that turn text around or cannot be seen are marks (Unicode TR36 §2.10, TR9 §2)", () => {
  expect(shown("CN=\u202Egpj.exe")).toBe("CN=<U+202E>gpj.exe");
  expect(shown("a\u0000b\u001Bc\u007Fd\u0085e")).toBe("a<U+0000>b<U+001B>c<U+007F>d<U+0085>e");
  expect(shown("pay\u200Bpal\u2066x\u2069\uFEFF")).toBe("pay<U+200B>pal<U+2066>x<U+2069><U+FEFF>");
  expect(shown("a\nb\tc")).toBe("a<U+000A>b<U+0009>c");
  expect(shown("\u{E0041}")).toBe("<U+E0041>");
  expect(shown("x\uD800y")).toBe("x<U+D800>y");
});

test("every bidi control of Unicode TR9 §2 is a mark", () => {
  for (const code of [0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069]) {
    expect(visible(String.fromCodePoint(code))[0]?.mark, code.toString(16)).toBe(true);
  }
});

test("a clip never cuts a character in half and says what it left out", () => {
  expect(clip("😀".repeat(10), 4)).toEqual({ shown: "😀😀😀😀", left: 6 });
  expect(clip("abc", 3)).toEqual({ shown: "abc", left: 0 });
  expect(clip("x".repeat(10_000), 256).left).toBe(9744);
});

test("as plain text it is isolated and marked", () => {
  expect(visibleText("a\u202Eb")).toBe("\u2068a‹U+202E›b\u2069");
  expect([...visibleText("x".repeat(10_000), 50)].length).toBe(53);
});
