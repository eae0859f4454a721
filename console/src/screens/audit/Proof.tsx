// The proof of one event, computed in this page: each step, what was found, and plainly whether it holds.
import { Button, Modal, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { tell } from "~/parts/Notices";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status, type Tone } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { download } from "~/parts/table/csv";
import { forget, keep, readKept } from "./kept";
import { type GrowthProof, type InclusionProof, type Kept, type Proved, prove, type Step, type StepState } from "./proof";

interface ProofProps {
  readonly seq: number;
  /** The record's text as it stands on the page. */
  readonly shown: string;
  /** The event before, for going through the log one by one. */
  readonly last: number | undefined;
}

const WORDS: Readonly<Record<StepState, readonly [Tone, string]>> = {
  holds: ["ok", "holds"],
  refused: ["critical", "does not hold"],
  cannot: ["medium", "not checked"],
  skipped: ["none", "nothing to compare"],
};

export function Proof({ seq, shown, last }: ProofProps) {
  const [kept, setKept] = useState(readKept);
  const [isBringing, setBringing] = useState(false);
  const verify = useMutation({
    mutationFn: () =>
      prove({
        seq,
        shown,
        kept,
        now: Date.now(),
        proof: () => api.get<InclusionProof>("/api/v1/audit/proofs/{seq}", { path: { seq } }),
        key: () => api.get<string>("/log/vkey"),
        growth: (from, to) => api.get<GrowthProof>("/api/v1/audit/consistency", { query: { from, to } }),
      }),
    onSuccess: (proved) => {
      if (proved.keep !== undefined) keep(proved.keep);
    },
  });
  const change = (next: Kept | undefined) => {
    if (next === undefined) forget();
    else keep(next);
    setKept(next);
    setBringing(false);
    verify.reset();
  };
  return (
    <div className="stack">
      <Panel title="Is it in the log, unchanged?" note="computed in this page">
        <div className="stack">
          {verify.data === undefined && <p>Your browser reads the record, the hashes beside it and the signed checkpoint, and computes the rest itself. It believes nothing that the server says about the result.</p>}
          {verify.data !== undefined && <Verdict proved={verify.data} />}
          {verify.error && <ProblemPanel error={verify.error} compact />}
          <div className="row">
            <Button leftSection={<Icon name="authority" />} loading={verify.isPending} onClick={() => verify.mutate()}>{verify.data === undefined ? "Verify" : "Verify again"}</Button>
            {verify.data?.holds && <Evidence seq={seq} />}
          </div>
          {verify.data !== undefined && <Steps steps={verify.data.steps} />}
        </div>
      </Panel>
      <Panel title="What it is compared with">
        <div className="stack">
          {kept === undefined ? (
            <p>This browser has kept no checkpoint yet. It keeps the newest one that held, together with the log’s key. Better still: bring those that you keep outside of the hospital.</p>
          ) : (
            <p>A checkpoint from <Time at={kept.at} as="minute" /> over {sizeOf(kept.note)} events, and the log’s key. If the log was cut off or rewritten since then, it shows.</p>
          )}
          <div className="row">
            <Button variant="default" onClick={() => setBringing(true)}>Bring a checkpoint…</Button>
            {kept !== undefined && <Button variant="default" onClick={() => download("checkpoint.txt", kept.note)}>Take it with you</Button>}
            {kept !== undefined && <Button variant="subtle" onClick={() => change(undefined)}>Forget it</Button>}
          </div>
          <p className="small quiet">
            The page itself comes from the server that it checks. Who wants to trust neither runs <code>verify_log.py</code> on an export: it shares no code with Ward.
          </p>
        </div>
      </Panel>
      <nav className="row" aria-label="Neighbours in the log">
        {last !== undefined && <Link to="/audit/$seq" params={{ seq: String(last) }}>Event {last}</Link>}
        <Link to="/audit/$seq" params={{ seq: String(seq + 1) }}>Event {seq + 1}</Link>
      </nav>
      {isBringing && <Bring kept={kept} onBring={change} onClose={() => setBringing(false)} />}
    </div>
  );
}

function sizeOf(note: string): string {
  return Number(note.split("\n")[1]).toLocaleString("en");
}

function Verdict({ proved }: { readonly proved: Proved }) {
  const isWhole = proved.steps.every((step) => step.state !== "cannot");
  return (
    <p className={proved.holds ? "audit-verdict is-held" : "audit-verdict is-refused"} role={proved.holds ? "status" : "alert"}>
      <Icon name={proved.holds ? "check" : "warning"} size={20} />
      <span>
        {proved.holds ? (
          <strong>{isWhole ? "It holds: this event is in the log, byte for byte." : "It holds as far as this browser can check."}</strong>
        ) : (
          <><strong>It does not hold.</strong> What is shown here is not proved by the log. Keep this page, and tell whoever is responsible for the log.</>
        )}
      </span>
    </p>
  );
}

function Steps({ steps }: { readonly steps: readonly Step[] }) {
  return (
    <ol className="audit-steps">
      {steps.map((step) => (
        <li key={step.title} className={`audit-step-${step.state}`}>
          <div className="row wide"><h3>{step.title}</h3><Status tone={WORDS[step.state][0]}>{WORDS[step.state][1]}</Status></div>
          <p>{step.said}</p>
          {step.facts.map(([name, value]) => (
            <p key={name} className="audit-hash"><span className="quiet small">{name}</span> <Name text={value} mono /></p>
          ))}
          {step.climbs !== undefined && step.climbs.length > 0 && (
            <details>
              <summary>Every hash on the way</summary>
              <ol className="audit-climb">
                {step.climbs.map((each) => (
                  <li key={each.result}>
                    <span className="quiet small">with its sibling on the {each.side}</span> <Name text={each.beside} mono />
                    <span className="quiet small">becomes</span> <Name text={each.result} mono />
                  </li>
                ))}
              </ol>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}

/** Everything that somebody needs to check the same elsewhere. */
function Evidence({ seq }: { readonly seq: number }) {
  const take = useMutation({
    mutationFn: async () => {
      const proof = await api.get<InclusionProof>("/api/v1/audit/proofs/{seq}", { path: { seq } });
      const { entry, leaf, path, checkpoint } = proof;
      const vkey = (await api.get<string>("/log/vkey")).trim();
      download(`event-${seq}.json`, JSON.stringify({ seq, entry, leaf, path, checkpoint, vkey }, null, 2));
      tell({ kind: "done", text: "Record, path, checkpoint and key are in one file" });
    },
  });
  return <Button variant="default" leftSection={<Icon name="export" />} loading={take.isPending} onClick={() => take.mutate()}>Export the evidence</Button>;
}

function Bring({ kept, onBring, onClose }: { readonly kept: Kept | undefined; readonly onBring: (kept: Kept) => void; readonly onClose: () => void }) {
  const [note, setNote] = useState("");
  const [key, setKey] = useState(kept?.key ?? "");
  const whole = note.endsWith("\n") ? note : `${note}\n`;
  return (
    <Modal opened onClose={onClose} size="lg" title="Bring a checkpoint">
      <div className="stack">
        <p className="small">Both are text: the key is one line, given to you once by another way; the checkpoint is what <code>/log/checkpoint</code> answered when you kept it. What is wrong with them is said when you verify.</p>
        <TextInput label="The log’s key (vkey)" className="mono" maxLength={300} value={key} onChange={(event) => setKey(event.currentTarget.value)} data-autofocus />
        <Textarea label="Checkpoint" className="mono" minRows={6} maxLength={4000} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        <div className="row">
          <Button disabled={note.trim() === "" || key.trim() === ""} onClick={() => onBring({ key: key.trim(), note: whole, at: Date.now() })}>Compare with it</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </div>
    </Modal>
  );
}
