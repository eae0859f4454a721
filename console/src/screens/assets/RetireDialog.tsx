// Retiring an asset: first what it will do, then why, then the word. It is for good.
import { Button, Checkbox, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { type AssetRecord, type Holding, inForce, isUsable, modelOf, type Retired, type Right, type Spare, titleOf } from "./types";

interface RetireDialogProps {
  readonly asset: AssetRecord;
  readonly holdings: readonly Holding[];
  readonly spares: readonly Spare[];
  /** Rights that are for this asset alone. */
  readonly rights: readonly Right[];
  readonly onClose: () => void;
}

export function RetireDialog({ asset, holdings, spares, rights, onClose }: RetireDialogProps) {
  const [reason, setReason] = useState("");
  const [isSure, setSure] = useState(false);
  const retire = useAct<string, Retired>({
    call: (why) => api.post<Retired>("/api/v1/assets/{id}/retire", { path: { id: asset.id }, body: { reason: why, dry_run: false } }),
    done: (retired) => `${titleOf(asset)} is retired; ${said(retired)}`,
    then: onClose,
  });
  const standing = inForce(holdings);
  const kept = spares.filter((spare) => spare.state === "prepared" || spare.state === "preparing");
  const usable = rights.filter((right) => isUsable(right)).length;
  const isWaiting = retire.data?.done === false;
  return (
    <Modal opened onClose={onClose} size="lg" title={`Retire ${titleOf(asset)}`}>
      <div className="stack">
        <section className="assets-effect" aria-label="What it will do">
          <h3>What it will do</h3>
          <ul>
            <li><strong><Name text={modelOf(asset) || asset.kind} most={80} /></strong> {titleOf(asset)} gets no certificate any more, also not by a request that is under way. The record is closed for good.</li>
            {standing.length === 0 && <li>It holds no certificate that is in force: nothing is revoked.</li>}
            {standing.length > 0 && <li><Status tone="high">{standing.length === 1 ? "1 certificate" : `${standing.length} certificates`}</Status> revoked at once, with the reason <em>cessation of operation</em>:</li>}
            {standing.map((holding) => (
              <li key={holding.sha256} className="assets-effect-one">
                <Name text={holding.profile} /> <span className="quiet">until <Time at={holding.not_after * 1000} />, serial <Name text={holding.serial} mono most={40} /></span>
              </li>
            ))}
            {kept.length > 0 && <li>{kept.length === 1 ? "1 spare ends" : `${kept.length} spares end`} with it.</li>}
            {usable > 0 && <li>{usable === 1 ? "1 right to enrol stays, and is" : `${usable} rights to enrol stay, and are`} worth nothing any more.</li>}
            {asset.criticality === "life-support" && <li><Status tone="critical">life support</Status> Make sure that it is off every patient before you go on.</li>}
          </ul>
          <p className="small quiet">OCSP says so at once; revocation lists follow within seconds. Other certificates that somebody else issued to it stay as they are.</p>
        </section>
        <Textarea label="Why" description="Stands in the audit log: ticket, where it went" placeholder="board burnt, CHG-2301" maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <Checkbox checked={isSure} onChange={(event) => setSure(event.currentTarget.checked)} label="I have read what it does. It does not come back." />
        {retire.error && <ProblemPanel error={retire.error} compact />}
        {isWaiting && <p role="status">Somebody else has to agree first. Nothing has changed yet.</p>}
        <div className="row">
          <Button color="red" disabled={!isSure || isWaiting} loading={retire.isPending} onClick={() => retire.mutate(reason.trim())}>Retire it</Button>
          <Button variant="default" data-autofocus onClick={onClose}>{isWaiting ? "Close" : "Leave it"}</Button>
        </div>
      </div>
    </Modal>
  );
}

function said({ certificates, revoked }: Retired): string {
  if (certificates.length === 0) return "it held no certificate";
  if (revoked >= certificates.length) return `${revoked === 1 ? "its certificate is" : `its ${revoked} certificates are`} revoked`;
  return `${revoked} of ${certificates.length} certificates are revoked, the others within seconds`;
}
