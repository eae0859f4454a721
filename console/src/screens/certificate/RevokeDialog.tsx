// Revoking one certificate: what stops stands there at once with the usual reason, and one press is left. What is grave asks
// for a word first.
import { Button, Checkbox, Modal, Select, Textarea } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import type { Shown } from "~/api/types";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Radius } from "../inventory/Radius";
import { shortSubject } from "../inventory/subject";
import { isGrave, REASONS, useBlastRadius } from "./revocation";
import { ignoreHeldKey, takeFocus } from "./take-focus";

interface RevokeDialogProps {
  readonly certificate: Shown;
  readonly onClose: () => void;
}

export function RevokeDialog({ certificate, onClose }: RevokeDialogProps) {
  const [reason, setReason] = useState("superseded");
  const [why, setWhy] = useState("");
  const [isSure, setSure] = useState(false);
  const radius = useBlastRadius(certificate.sha256);
  const revoke = useAct<undefined, unknown>({
    call: () => api.post("/api/v1/certificates/{id}/revoke", { path: { id: certificate.sha256 }, body: why.trim() === "" ? { reason } : { reason, why: why.trim() } }),
    done: () => `Revoked: ${shortSubject(certificate)}. The inventory follows in a moment`,
    then: onClose,
  });
  if (revoke.data?.done === false) return <Waits request={revoke.data.request} onClose={onClose} />;
  const isKnown = radius.data !== undefined || radius.error !== null;
  // What depends on it is not known if it could not be counted, which is no leave to hurry.
  const asksForWord = radius.data === undefined || isGrave(radius.data);
  return (
    <Modal opened onClose={onClose} size="lg" title="Revoke this certificate">
      <div className="stack">
        <Radius radius={radius.data} isPending={radius.isPending}>
          <li>Every peer that checks refuses it from the next revocation list on.</li>
        </Radius>
        {radius.error && <ProblemPanel error={radius.error} onRetry={() => void radius.refetch()} compact />}
        <Select label="Reason" data={[...REASONS]} allowDeselect={false} value={reason} onChange={(value) => setReason(value ?? "superseded")} />
        <Textarea label="Why" description="Stands in the audit log: ticket, incident, who asked" maxLength={1000} value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
        {revoke.error && <ProblemPanel error={revoke.error} compact />}
        {isKnown && asksForWord && <Checkbox ref={takeFocus} checked={isSure} onChange={(event) => setSure(event.currentTarget.checked)} label="I have read what stops. A revocation is for good." />}
        <div className="row">
          {isKnown && <Button ref={asksForWord ? undefined : takeFocus} color="red" disabled={asksForWord && !isSure} loading={revoke.isPending} onKeyDown={ignoreHeldKey} onClick={() => revoke.mutate(undefined)}>Revoke for good</Button>}
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </div>
    </Modal>
  );
}

function Waits({ request, onClose }: { readonly request: string; readonly onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} size="lg" title="Revoke this certificate">
      <div className="stack">
        <p role="status">It waits for approval as <Link to="/requests/$id" params={{ id: request }} onClick={onClose}>request {request}</Link>. Nothing is revoked yet.</p>
        <div className="row"><Button data-autofocus onClick={onClose}>Close</Button></div>
      </div>
    </Modal>
  );
}
