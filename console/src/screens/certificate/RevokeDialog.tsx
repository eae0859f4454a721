// Revoking one certificate or many: first what stops, then why, then the word; results one by one.
import { Button, Checkbox, Modal, Progress, Select, Textarea } from "@mantine/core";
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import type { Explained, Listed } from "~/api/types";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { shortSubject } from "../inventory/subject";
import { canRevoke, radius, REASONS } from "./revocation";
import "./revoke.css";

interface RevokeDialogProps {
  readonly rows: readonly Listed[];
  readonly onClose: () => void;
}

interface Result {
  readonly row: Listed;
  readonly said: "revoked" | "waits" | "refused";
  readonly text: string;
}

/** Certificates whose dependents are asked for one by one; of more the totals are shown. */
const EXPLAINED = 12;

export function RevokeDialog({ rows, onClose }: RevokeDialogProps) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("superseded");
  const [why, setWhy] = useState("");
  const [isSure, setSure] = useState(false);
  const [results, setResults] = useState<readonly Result[]>();
  const able = rows.filter(canRevoke);
  const run = async () => {
    let done: readonly Result[] = [];
    setResults(done);
    for (const row of able) {
      done = [...done, await revoke(row, reason, why)];
      setResults(done);
    }
    await queries.invalidateQueries();
  };
  const isRunning = results !== undefined && results.length < able.length;
  return (
    <Modal opened onClose={isRunning ? () => undefined : onClose} size="lg" title={able.length === 1 ? "Revoke this certificate" : `Revoke ${able.length.toLocaleString("en")} certificates`}>
      {results === undefined ? (
        <div className="stack">
          <BlastRadius rows={rows} />
          <Select label="Reason" data={[...REASONS]} value={reason} onChange={(value) => setReason(value ?? "superseded")} />
          <Textarea label="Why" description="Stands in the audit log: ticket, incident, who asked" maxLength={1000} value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
          <Checkbox checked={isSure} onChange={(event) => setSure(event.currentTarget.checked)} label="I have read what stops. A revocation is for good." />
          <div className="row">
            <Button color="red" disabled={!isSure || able.length === 0} onClick={() => void run()}>Revoke</Button>
            <Button variant="default" data-autofocus onClick={onClose}>Leave it</Button>
          </div>
        </div>
      ) : (
        <div className="stack">
          <Progress value={(results.length / Math.max(1, able.length)) * 100} aria-label="How many are done" />
          <ul className="revoke-results" aria-live="polite">
            {results.map((result) => (
              <li key={result.row.sha256}>
                <Status tone={result.said === "revoked" ? "ok" : result.said === "waits" ? "medium" : "critical"}>{result.said}</Status>
                <Name text={shortSubject(result.row)} most={80} />
                {result.text !== "" && <span className="small"><Name text={result.text} most={400} /></span>}
              </li>
            ))}
          </ul>
          <div className="row"><Button disabled={isRunning} onClick={onClose}>Close</Button></div>
        </div>
      )}
    </Modal>
  );
}

async function revoke(row: Listed, reason: string, why: string): Promise<Result> {
  try {
    const body = why.trim() === "" ? { reason } : { reason, why: why.trim() };
    const outcome = await api.post<unknown>("/api/v1/certificates/{id}/revoke", { path: { id: row.sha256 }, body });
    return outcome.done ? { row, said: "revoked", text: "" } : { row, said: "waits", text: `for approval, as request ${outcome.request}` };
  } catch (error) {
    const { detail, accepted } = asProblem(error).problem;
    return { row, said: "refused", text: accepted ? `${detail} Accepted: ${accepted}` : detail };
  }
}

function BlastRadius({ rows }: { readonly rows: readonly Listed[] }) {
  const total = radius(rows);
  const asked = rows.filter(canRevoke).slice(0, EXPLAINED);
  const explained = useQueries({
    queries: asked.map((row) => ({
      queryKey: ["certificate", row.sha256, "risk"],
      queryFn: () => api.get<Explained>("/api/v1/inventory/{sha256}/risk", { path: { sha256: row.sha256 } }),
      staleTime: 60_000,
    })),
  });
  const protects = explained.flatMap((each) => each.data?.protects ?? []) as readonly { readonly kind: string; readonly name: string; readonly side: string; readonly phi: boolean }[];
  const names = [...new Map(protects.map((each) => [`${each.kind} ${each.name}`, each])).values()];
  const more = total.certificates - asked.length;
  return (
    <section className="radius" aria-label="What stops">
      <h3>What stops</h3>
      <ul>
        <li><strong>{total.places.toLocaleString("en")}</strong> {total.places === 1 ? "place shows" : "places show"} {total.certificates === 1 ? "it" : "them"}; every peer that checks refuses them from the next revocation list on.</li>
        {total.authorities > 0 && <li><Status tone="critical">authority</Status> Everything that {total.authorities === 1 ? "it has" : `${total.authorities} of them have`} signed ends with it.</li>}
        {total.patientFacing > 0 && <li><Status tone="critical">patient-facing</Status> {total.patientFacing} protect what patients depend on.</li>}
        {total.phi > 0 && <li><Status tone="high">PHI</Status> {total.phi} protect health information.</li>}
        {names.map((each) => (
          <li key={`${each.kind} ${each.name}`}>{each.kind} <strong><Name text={each.name} most={80} /></strong>{each.phi && " (health information)"}</li>
        ))}
        {more > 0 && <li className="quiet">Flows and systems of {more} more were not asked for.</li>}
        {total.owners.length > 0 && <li>Answerable: {total.owners.slice(0, 12).map((owner, at) => <span key={owner}>{at > 0 && ", "}<Name text={owner} most={60} /></span>)}</li>}
        {total.segments.length > 0 && <li>In: {total.segments.slice(0, 12).map((segment, at) => <span key={segment}>{at > 0 && ", "}<Name text={segment} most={60} /></span>)}</li>}
        {total.cannot > 0 && <li className="quiet">{total.cannot} of {rows.length} are left out: not issued by this Ward, or revoked already.</li>}
      </ul>
      {explained.some((each) => each.isPending) && <p className="small quiet" role="status">Asking what depends on it…</p>}
      <p className="small quiet">This is what the inventory and the map of flows know. What nobody has found or drawn is not in it.</p>
    </section>
  );
}
