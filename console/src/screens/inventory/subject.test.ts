import { expect, test } from "vitest";
import { shortSubject } from "./subject";

const of = (subject: string, ...names: string[]) => shortSubject({ subject, names, serial: "0a" });

test("a subject in the words of RFC 4514 is called by its common name", () => {
  expect(of("CN=pump-17.icu,O=Mercy")).toBe("pump-17.icu");
  expect(of("O=Mercy,CN=pump-17.icu")).toBe("pump-17.icu");
  expect(of("CN=Smith\\, John,O=Mercy")).toBe("Smith, John");
  expect(of("O=Mercy", "dns:www.mercy.example")).toBe("www.mercy.example");
  expect(of("O=Mercy")).toBe("O=Mercy");
  expect(of("CN=pump\\u{202e}gpj.exe")).toBe("pump\\u{202e}gpj.exe");
  expect(of("")).toBe("serial 0a");
});
