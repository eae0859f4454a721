// Names come from whoever made a certificate. What such a text could do to a reader without being seen — turn the rest of
// the line around, hide letters, end the line — is taken out here and shown as a mark with its code point.

export interface Piece {
  /** Text as it stands, or the mark that stands for one character. */
  readonly text: string;
  readonly mark: boolean;
  /** For marks: what the character does. */
  readonly what?: string;
}

const NAMED: Readonly<Record<number, string>> = {
  0x00: "null",
  0x09: "tab",
  0x0a: "line feed",
  0x0d: "carriage return",
  0x1b: "escape",
  0x7f: "delete",
  0xa0: "space that does not break",
  0xad: "soft hyphen",
  0x61c: "Arabic letter mark",
  0x180e: "Mongolian vowel separator",
  0x200b: "space without width",
  0x200c: "non-joiner without width",
  0x200d: "joiner without width",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x2028: "line separator",
  0x2029: "paragraph separator",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "end of embedding",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "end of isolate",
  0xfeff: "byte order mark",
  0xfffd: "replacement for bytes that were no text",
};

/** Ranges of code points that are never shown as themselves, with what they are. */
const HIDDEN: readonly (readonly [from: number, to: number, what: string])[] = [
  [0x00, 0x1f, "control character"],
  [0x7f, 0x9f, "control character"],
  [0xa0, 0xa0, ""],
  [0xad, 0xad, ""],
  [0x61c, 0x61c, ""],
  [0x115f, 0x1160, "filler without ink"],
  [0x180e, 0x180e, ""],
  [0x2000, 0x200f, "space of another width"],
  [0x2028, 0x202f, "separator"],
  [0x205f, 0x206f, "invisible operator"],
  [0x3164, 0x3164, "filler without ink"],
  [0xd800, 0xdfff, "half of a character"],
  [0xfe00, 0xfe0f, "variation selector"],
  [0xfeff, 0xfeff, ""],
  [0xfff0, 0xffff, "special"],
  [0xe0000, 0xe0fff, "tag character"],
];

function hidden(code: number): string | undefined {
  const range = HIDDEN.find(([from, to]) => code >= from && code <= to);
  return range === undefined ? undefined : (NAMED[code] ?? range[2]);
}

export function visible(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") pieces.push({ text: plain, mark: false });
    plain = "";
  };
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const what = hidden(code);
    if (what === undefined) {
      plain += character;
    } else {
      flush();
      pieces.push({ text: `U+${code.toString(16).toUpperCase().padStart(4, "0")}`, mark: true, what });
    }
  }
  flush();
  return pieces;
}

/** The same for places that take no elements: titles, labels, the palette, charts. */
export function visibleText(text: string, most = 300): string {
  const shown = visible(clip(text, most).shown)
    .map((piece) => (piece.mark ? `‹${piece.text}›` : piece.text))
    .join("");
  // Isolated, so that right-to-left letters stay where they are.
  return `\u2068${shown}${[...text].length > most ? "…" : ""}\u2069`;
}

export interface Clipped {
  readonly shown: string;
  /** Characters that are left out. */
  readonly left: number;
}

/** The first `most` characters, never half of one. */
export function clip(text: string, most: number): Clipped {
  if (text.length <= most) return { shown: text, left: 0 };
  const characters = [...text];
  return characters.length <= most
    ? { shown: text, left: 0 }
    : { shown: characters.slice(0, most).join(""), left: characters.length - most };
}
