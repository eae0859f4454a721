/// <reference types="node" />
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkGrowth, climb, hex, isSigned, leafHash, readCheckpoint, readKey } from "./log";
import { prove } from "./proof";

// The definitions of RFC 6962 §2.1, §2.1.1 and §2.1.2 as they stand there, recursive, with another SHA-256.
type Hash = Uint8Array<ArrayBuffer>;
const hashed = (...parts: readonly Uint8Array[]): Hash => Uint8Array.from(createHash("sha256").update(Buffer.concat(parts)).digest());
const leafOf = (entry: string) => hashed(Uint8Array.of(0), Buffer.from(entry));
const below = (count: number) => 2 ** Math.ceil(Math.log2(count) - 1);
const root = (leaves: readonly string[]): Hash => {
  const [only] = leaves;
  if (only === undefined) return hashed();
  if (leaves.length === 1) return leafOf(only);
  const k = below(leaves.length);
  return hashed(Uint8Array.of(1), root(leaves.slice(0, k)), root(leaves.slice(k)));
};
const path = (m: number, leaves: readonly string[]): Hash[] => {
  if (leaves.length <= 1) return [];
  const k = below(leaves.length);
  return m < k ? [...path(m, leaves.slice(0, k)), root(leaves.slice(k))] : [...path(m - k, leaves.slice(k)), root(leaves.slice(0, k))];
};
const growth = (m: number, leaves: readonly string[], isWhole = true): Hash[] => {
  if (m === leaves.length) return isWhole ? [] : [root(leaves)];
  const k = below(leaves.length);
  return m <= k ? [...growth(m, leaves.slice(0, k), isWhole), root(leaves.slice(k))] : [...growth(m - k, leaves.slice(k), false), root(leaves.slice(0, k))];
};

const LEAVES = Array.from({ length: 33 }, (_, at) => `{"event":${at}}`);

describe("trees", () => {
  it("prove every leaf of every size, and no leaf at another's place (RFC 9162 §2.1.3.2)", async () => {
    for (let size = 1; size <= LEAVES.length; size += 1) {
      const leaves = LEAVES.slice(0, size);
      for (let index = 0; index < size; index += 1) {
        const proof = path(index, leaves);
        const found = await climb(index, size, await leafHash(leaves[index] ?? ""), proof);
        expect(hex(found.root)).toBe(hex(root(leaves)));
        if (size > 1) {
          const other = await climb((index + 1) % size, size, await leafHash(leaves[index] ?? ""), proof).then((wrong) => hex(wrong.root), () => "refused");
          expect(other).not.toBe(hex(root(leaves)));
        }
      }
    }
  });
  it("prove that every tree is the beginning of every later one, and of no other (RFC 9162 §2.1.4.2)", async () => {
    for (let size = 1; size <= 20; size += 1) {
      for (let from = 1; from <= size; from += 1) {
        const [now, then] = [LEAVES.slice(0, size), LEAVES.slice(0, from)];
        const proof = growth(from, now);
        await checkGrowth(from, size, root(then), root(now), proof);
        await expect(checkGrowth(from, size, root([...then.slice(1), "x"]), root(now), proof)).rejects.toThrow();
        if (from < size) await expect(checkGrowth(from, size, root(then), root([...now.slice(1), "x"]), proof)).rejects.toThrow();
        if (proof.length > 0) await expect(checkGrowth(from, size, root(then), root(now), proof.slice(1))).rejects.toThrow();
      }
    }
  });
});

function signedLog(leaves: readonly string[]) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const data = Buffer.concat([Buffer.of(1), raw]);
  const name = "log.mercy.example";
  const id = hashed(Buffer.from(`${name}\n`), data).slice(0, 4);
  const vkey = `${name}+${hex(id)}+${data.toString("base64")}`;
  const note = (size: number, top: Uint8Array) => {
    const text = `${name}\n${size}\n${Buffer.from(top).toString("base64")}\n`;
    const blob = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString("base64");
    return `${text}\n\u2014 ${name} ${blob}\n`;
  };
  return { vkey, note, checkpoint: note(leaves.length, root(leaves)) };
}

describe("a proof", () => {
  const log = signedLog(LEAVES);
  const sources = (seq: number, entry = LEAVES[seq] ?? "") => ({
    seq,
    shown: entry,
    kept: undefined,
    now: 1,
    key: () => Promise.resolve(`${log.vkey}\n`),
    proof: () => Promise.resolve({ seq, event: {}, entry, leaf: hex(leafOf(entry)), path: path(seq, LEAVES).map(hex), checkpoint: log.checkpoint }),
    growth: (from: number, to: number) => Promise.resolve({ from, size: to, path: growth(from, LEAVES.slice(0, to)).map(hex), checkpoint: log.checkpoint }),
  });
  it("reads keys and checkpoints of C2SP signed-note, and checks their Ed25519", async () => {
    const key = await readKey(log.vkey);
    const opened = readCheckpoint(log.checkpoint, key);
    expect(opened.checkpoint.size).toBe(33);
    expect(await isSigned(key, opened.text, opened.signature)).toBe("yes");
    expect(await isSigned(key, opened.text.replace("33", "34"), opened.signature)).toBe("no");
    await expect(readKey(log.vkey.replace("mercy", "merci"))).rejects.toThrow("does not belong");
  });
  it("holds, and keeps its checkpoint", async () => {
    const proved = await prove(sources(7));
    expect(proved.steps.map((step) => step.state)).toEqual(["holds", "holds", "holds", "holds", "holds", "skipped"]);
    expect(proved.keep?.note).toBe(log.checkpoint);
  });
  it("holds against a checkpoint that was kept", async () => {
    const kept = { key: log.vkey, note: log.note(12, root(LEAVES.slice(0, 12))), at: 0 };
    expect((await prove({ ...sources(20), kept })).steps.at(-1)?.state).toBe("holds");
  });
  it("is refused where one byte of the record differs", async () => {
    const proved = await prove(sources(7, `${LEAVES[7] ?? ""} `));
    expect([proved.holds, proved.keep, proved.steps.at(-1)?.title]).toEqual([false, undefined, "The way to the root"]);
  });
  it("is refused where what is proved is not what was shown", async () => {
    const proved = await prove({ ...sources(7), shown: `${LEAVES[7] ?? ""} ` });
    expect([proved.holds, proved.steps.at(-1)?.title]).toEqual([false, "The record"]);
  });
  it("is refused where another key signed, and where the log was cut off or rewritten since", async () => {
    const other = signedLog(LEAVES);
    expect((await prove({ ...sources(7), key: () => Promise.resolve(other.vkey) })).holds).toBe(false);
    const longer = { key: log.vkey, note: log.note(40, root(LEAVES)), at: 0 };
    expect((await prove({ ...sources(7), kept: longer })).steps.at(-1)?.said).toContain("cut off");
    const rewritten = { key: log.vkey, note: log.note(12, root(LEAVES.slice(1, 13))), at: 0 };
    expect((await prove({ ...sources(7), kept: rewritten })).steps.at(-1)?.said).toContain("rewritten");
  });
});
