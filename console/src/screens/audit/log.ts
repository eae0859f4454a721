// The log's mathematics, done in the page: nothing that the server says about a proof is believed. Trees and proofs are
// those of RFC 6962 §2.1 (checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say), keys and checkpoints those of C2SP signed-note and
// tlog-checkpoint. SHA-256 and Ed25519 are the browser's (WebCrypto).

/** Something does not hold; the text says what. */
export class Wrong extends Error {
  override readonly name = "Wrong";
}

type Bytes = Uint8Array<ArrayBuffer>;

async function sha256(...parts: readonly Bytes[]): Promise<Bytes> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** SHA-256(0x00 ‖ entry). */
export function leafHash(entry: string): Promise<Bytes> {
  return sha256(LEAF, new TextEncoder().encode(entry));
}

/** SHA-256(0x01 ‖ left ‖ right). */
function nodeHash(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(NODE, left, right);
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** 32 bytes from hex. */
export function unhex(text: unknown): Bytes {
  if (typeof text !== "string" || !/^[0-9a-f]{64}$/.test(text)) throw new Wrong("a hash of the proof is not 64 hex digits");
  return Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(text.slice(at * 2, at * 2 + 2), 16));
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** One step upwards: what stands beside, on which side, and what comes of both. */
export interface Climb {
  readonly side: "left" | "right";
  readonly beside: string;
  readonly result: string;
}

/** The root that a leaf and its path lead to (RFC 9162 §2.1.3.2), with every step. Numbers beyond 2^53 are no log's. */
export async function climb(index: number, size: number, leaf: Bytes, path: readonly Bytes[]): Promise<{ readonly root: Bytes; readonly steps: readonly Climb[] }> {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) throw new Wrong(`number ${index} is not below the checkpoint's ${size} entries`);
  let [at, last] = [BigInt(index), BigInt(size - 1)];
  let root = leaf;
  const steps: Climb[] = [];
  for (const beside of path) {
    if (last === 0n) throw new Wrong("the path is longer than the tree is high");
    const isLeft = at % 2n === 1n || at === last;
    root = isLeft ? await nodeHash(beside, root) : await nodeHash(root, beside);
    if (isLeft) {
      // A node without a sibling goes up as it is.
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n;
        last /= 2n;
      }
    }
    at /= 2n;
    last /= 2n;
    steps.push({ side: isLeft ? "left" : "right", beside: hex(beside), result: hex(root) });
  }
  if (last !== 0n) throw new Wrong("the path ends below the root");
  return { root, steps };
}

/** Whether the tree of `from` leaves is the beginning of the tree of `size` leaves (RFC 9162 §2.1.4.2). */
export async function checkGrowth(from: number, size: number, old: Bytes, root: Bytes, path: readonly Bytes[]): Promise<void> {
  if (from > size) throw new Wrong(`the log has ${size} entries and had ${from}: it was cut off`);
  if (from === size || from === 0) {
    if (path.length > 0) throw new Wrong("the proof holds hashes that prove nothing");
    if (from === size && !isSame(old, root)) throw new Wrong("both have as many entries, and other roots: it was rewritten");
    return;
  }
  let [at, last] = [BigInt(from - 1), BigInt(size - 1)];
  while (at % 2n === 1n) {
    at /= 2n;
    last /= 2n;
  }
  const hashes = [...path];
  const first = at === 0n ? old : hashes.shift();
  if (first === undefined) throw new Wrong("the proof is empty");
  let [before, after] = [first, first];
  for (const beside of hashes) {
    if (last === 0n) throw new Wrong("the proof is longer than the tree is high");
    if (at % 2n === 1n || at === last) {
      before = await nodeHash(beside, before);
      after = await nodeHash(beside, after);
      while (at % 2n === 0n && at !== 0n) {
        at /= 2n;
        last /= 2n;
      }
    } else {
      after = await nodeHash(after, beside);
    }
    at /= 2n;
    last /= 2n;
  }
  if (last !== 0n) throw new Wrong("the proof ends below the root");
  if (!isSame(before, old)) throw new Wrong(`the first ${from} entries are not those of the earlier checkpoint: the log was rewritten`);
  if (!isSame(after, root)) throw new Wrong("the proof does not lead to the new checkpoint's root");
}

function unbase64(text: string, what: string): Bytes {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (btoa(String.fromCharCode(...bytes)) === text) return bytes;
  } catch {
    // Said below.
  }
  throw new Wrong(`${what} is not base64 in its one spelling`);
}

export interface LogKey {
  readonly name: string;
  readonly hash: Bytes;
  readonly public: Bytes;
  readonly text: string;
}

/** `name+hash+key`, Ed25519 (C2SP signed-note). */
export async function readKey(text: string): Promise<LogKey> {
  const trimmed = text.trim();
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(trimmed);
  const [name, said, key] = [parts?.[1], parts?.[2], parts?.[3]];
  if (name === undefined || said === undefined || key === undefined) throw new Wrong("the log's key is not name+hash+key");
  const data = unbase64(key, "the log's key");
  if (data.length !== 33 || data[0] !== 1) throw new Wrong("the log's key is not Ed25519");
  const hash = (await sha256(new TextEncoder().encode(`${name}\n`), data)).slice(0, 4);
  if (hex(hash) !== said) throw new Wrong("the hash in the log's key does not belong to it");
  return { name, hash, public: data.slice(1), text: trimmed };
}

export interface Checkpoint {
  readonly size: number;
  readonly root: Bytes;
  readonly note: string;
}

/** Size and root of a checkpoint of the log with this key; `isSigned` looks at its signature. */
export function readCheckpoint(note: string, key: LogKey): { readonly checkpoint: Checkpoint; readonly text: string; readonly signature: Bytes } {
  const gap = note.lastIndexOf("\n\n");
  if (gap < 0 || !note.endsWith("\n") || [...note].some((character) => character < " " && character !== "\n")) throw new Wrong("the checkpoint is not a signed note");
  const text = note.slice(0, gap + 1);
  let signature: Bytes | undefined;
  for (const line of note.slice(gap + 2, -1).split("\n")) {
    const [dash, name, blob = ""] = line.split(" ");
    if (dash !== "\u2014" || name === undefined) throw new Wrong("the checkpoint has a malformed signature line");
    const bytes = unbase64(blob, "a signature of the checkpoint");
    if (name === key.name && isSame(bytes.slice(0, 4), key.hash)) signature = bytes.slice(4);
  }
  if (signature === undefined) throw new Wrong("the checkpoint has no signature of the log's key");
  const lines = text.slice(0, -1).split("\n");
  const [origin, count = "", rootText = ""] = lines;
  if (lines.length !== 3 || origin !== key.name) throw new Wrong("it is not a checkpoint of this log");
  const size = Number(count);
  if (!Number.isSafeInteger(size) || size < 0 || String(size) !== count) throw new Wrong("the checkpoint's size is not a number");
  const root = unbase64(rootText, "the checkpoint's root");
  if (root.length !== 32) throw new Wrong("the checkpoint's root has not 32 bytes");
  return { checkpoint: { size, root, note }, text, signature };
}

/** Whether the browser has Ed25519 at all: Chrome and Edge from 137, Firefox from 129, Safari from 17. */
export type Signed = "yes" | "no" | "cannot";

export async function isSigned(key: LogKey, text: string, signature: Bytes): Promise<Signed> {
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey("raw", key.public, "Ed25519", false, ["verify"]);
  } catch {
    return "cannot";
  }
  return (await crypto.subtle.verify("Ed25519", imported, signature, new TextEncoder().encode(text))) ? "yes" : "no";
}
