// Proving one event: each step with what it found, up to the first that does not hold.
import { type Checkpoint, checkGrowth, climb, type Climb, hex, isSame, isSigned, leafHash, type LogKey, readCheckpoint, readKey, unhex, Wrong } from "./log";

/** `GET /api/v1/audit/proofs/{seq}`. */
export interface InclusionProof {
  readonly seq: number;
  readonly event: Readonly<Record<string, unknown>>;
  readonly entry: string;
  readonly leaf: string;
  readonly path: readonly string[];
  readonly checkpoint: string;
}

/** `GET /api/v1/audit/consistency`. */
export interface GrowthProof {
  readonly from: number;
  readonly size: number;
  readonly path: readonly string[];
  readonly checkpoint: string;
}

/** A key and a checkpoint that this browser keeps, or that somebody brought along. */
export interface Kept {
  readonly key: string;
  readonly note: string;
  /** Milliseconds. */
  readonly at: number;
}

export type StepState = "holds" | "refused" | "cannot" | "skipped";

export interface Step {
  readonly title: string;
  readonly state: StepState;
  readonly said: string;
  /** Hashes and texts, as term and value. */
  readonly facts: readonly (readonly [string, string])[];
  readonly climbs?: readonly Climb[];
}

export interface Proved {
  readonly steps: readonly Step[];
  readonly holds: boolean;
  /** What to keep for the next time, if everything held. */
  readonly keep: Kept | undefined;
}

interface Sources {
  proof(): Promise<InclusionProof>;
  key(): Promise<string>;
  growth(from: number, to: number): Promise<GrowthProof>;
  readonly kept: Kept | undefined;
  readonly seq: number;
  /** The record's text as it stands on the page: it is what is proved, whatever else the server answers meanwhile. */
  readonly shown: string;
  readonly now: number;
}

export async function prove(sources: Sources): Promise<Proved> {
  const steps: Step[] = [];
  const step = async <T>(title: string, run: () => Promise<readonly [T, Omit<Step, "title">]>): Promise<T> => {
    try {
      const [value, found] = await run();
      steps.push({ title, ...found });
      return value;
    } catch (error) {
      // What could not be read is no proof of anything, neither for nor against.
      if (error instanceof Wrong) steps.push({ title, state: "refused", said: error.message, facts: [] });
      throw error;
    }
  };
  try {
    const key = await step("The log's key", () => theKey(sources));
    const proof = await sources.proof();
    const leaf = await step("The record", () => theRecord(proof, sources));
    const opened = await step("The checkpoint", async () => theCheckpoint(proof.checkpoint, key));
    await step("The way to the root", () => theWay(proof, leaf, opened.checkpoint));
    await step("The signature", () => theSignature(key, opened));
    const newest = await step("Since the checkpoint that was kept", () => theGrowth(sources, key, opened.checkpoint));
    const holds = steps.every((each) => each.state !== "refused");
    return { steps, holds, keep: holds ? { key: key.text, note: newest.note, at: sources.now } : undefined };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { steps, holds: false, keep: undefined };
  }
}

async function theKey(sources: Sources): Promise<readonly [LogKey, Omit<Step, "title">]> {
  const key = await readKey(await sources.key());
  const facts = [["Key (vkey)", key.text]] as const;
  if (sources.kept === undefined) return [key, { state: "holds", said: "Taken from the server, for the first time in this browser. Compare it with the one that you were given by another way.", facts }];
  if ((await readKey(sources.kept.key)).text !== key.text) throw new Wrong("the server shows another key than the one that was kept: this is another log, or somebody pretends to be it");
  return [key, { state: "holds", said: "The server shows the key that was kept.", facts }];
}

async function theRecord(proof: InclusionProof, { seq, shown }: Sources): Promise<readonly [Uint8Array<ArrayBuffer>, Omit<Step, "title">]> {
  if (proof.seq !== seq) throw new Wrong(`the server answered with event ${proof.seq}`);
  if (proof.entry !== shown) throw new Wrong("the record that the server proves is not the one that it showed");
  const leaf = await leafHash(shown);
  if (hex(leaf) !== proof.leaf) throw new Wrong(`the record is not the one that was logged: its hash is ${hex(leaf)}, the log's leaf ${String(proof.leaf)}`);
  const bytes = new TextEncoder().encode(shown).length;
  return [leaf, { state: "holds", said: `SHA-256 over a zero byte and the ${bytes.toLocaleString("en")} bytes of the record is the leaf.`, facts: [["Leaf", hex(leaf)]] }];
}

function theCheckpoint(note: string, key: LogKey): readonly [ReturnType<typeof readCheckpoint>, Omit<Step, "title">] {
  const opened = readCheckpoint(note, key);
  const { size, root } = opened.checkpoint;
  return [opened, { state: "holds", said: `It commits to ${size.toLocaleString("en")} events by one root.`, facts: [["Root", hex(root)]] }];
}

async function theWay(proof: InclusionProof, leaf: Uint8Array<ArrayBuffer>, checkpoint: Checkpoint): Promise<readonly [undefined, Omit<Step, "title">]> {
  const { root, steps } = await climb(proof.seq, checkpoint.size, leaf, proof.path.map(unhex));
  if (!isSame(root, checkpoint.root)) throw new Wrong(`the leaf and its path lead to ${hex(root)}, not to the checkpoint's root: the record is not in this log`);
  return [undefined, { state: "holds", said: `${steps.length} ${steps.length === 1 ? "hash leads" : "hashes lead"} from the leaf to exactly the checkpoint's root.`, facts: [["Computed root", hex(root)]], climbs: steps }];
}

async function theSignature(key: LogKey, opened: ReturnType<typeof readCheckpoint>): Promise<readonly [undefined, Omit<Step, "title">]> {
  const signed = await isSigned(key, opened.text, opened.signature);
  if (signed === "no") throw new Wrong("the checkpoint's signature is not the log's");
  if (signed === "cannot") return [undefined, { state: "cannot", said: "This browser has no Ed25519, so the signature was not checked. verify_log.py checks it.", facts: [] }];
  return [undefined, { state: "holds", said: "Ed25519: size and root were signed with the log's key.", facts: [] }];
}

async function theGrowth(sources: Sources, key: LogKey, now: Checkpoint): Promise<readonly [Checkpoint, Omit<Step, "title">]> {
  if (sources.kept === undefined) {
    return [now, { state: "skipped", said: "None was kept yet. This one is from now on; the next time the log has to be a continuation of it.", facts: [] }];
  }
  const old = readCheckpoint(sources.kept.note, key);
  if ((await isSigned(key, old.text, old.signature)) === "no") throw new Wrong("the signature of the kept checkpoint is not the log's");
  if (old.checkpoint.size > now.size) throw new Wrong(`the log has ${now.size} entries and had ${old.checkpoint.size} when the checkpoint was kept: it was cut off`);
  const growth = await sources.growth(old.checkpoint.size, now.size);
  await checkGrowth(old.checkpoint.size, now.size, old.checkpoint.root, now.root, growth.path.map(unhex));
  const added = now.size - old.checkpoint.size;
  const said = `The ${old.checkpoint.size.toLocaleString("en")} events of then are the beginning of today's log, unchanged; ${added.toLocaleString("en")} came since.`;
  return [now, { state: "holds", said, facts: [["Root of then", hex(old.checkpoint.root)], ["Root of now", hex(now.root)]] }];
}
