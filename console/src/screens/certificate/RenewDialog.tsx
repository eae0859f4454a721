// Renewing: the same names from the same profile, with a new key. Either the device's own request, or a key that is made here
// and given once. The old certificate stays until it ends or is revoked.
import { Button, CopyButton, Modal, SegmentedControl, Select, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import type { Shown } from "~/api/types";
import { Name } from "~/parts/Name";
import { Facts } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";

type Issued = components["schemas"]["IssuedView"];

interface Stored {
  readonly profile: string;
  readonly profile_version: number;
  readonly names: readonly string[];
  readonly subject: string;
}

const KEYS = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"];

export function RenewDialog({ certificate, onClose }: { readonly certificate: Shown; readonly onClose: () => void }) {
  const stored = useQuery({
    queryKey: ["certificates", certificate.sha256],
    queryFn: () => api.get<Stored>("/api/v1/certificates/{id}", { path: { id: certificate.sha256 } }),
  });
  const [way, setWay] = useState<"csr" | "generate">("csr");
  const [csr, setCsr] = useState("");
  const [key, setKey] = useState("ecdsa-p256");
  const [issued, setIssued] = useState<Issued>();
  const issue = useAct<Stored, Issued>({
    call: (old) =>
      api.post<Issued>("/api/v1/certificates", {
        body: { profile: old.profile, subject: old.subject, names: old.names, ...(way === "csr" ? { csr } : { generate: key }) },
      }),
    done: () => "The new certificate is issued",
    then: setIssued,
  });
  if (issued !== undefined) return <IssuedResult issued={issued} onClose={onClose} />;
  const old = stored.data;
  return (
    <Modal opened onClose={onClose} size="lg" title="Renew">
      <div className="stack">
        {stored.error && <ProblemPanel error={stored.error} compact />}
        {old && (
          <Facts
            items={[
              ["Profile", <span key="p"><Name text={old.profile} /> <span className="quiet">(it was version {old.profile_version}; the newest counts)</span></span>],
              ["Names", <Name key="n" text={old.names.join(", ")} most={400} none="none" />],
            ]}
          />
        )}
        <SegmentedControl
          aria-label="Whose key"
          value={way}
          onChange={(value) => setWay(value === "csr" ? "csr" : "generate")}
          data={[{ value: "csr", label: "The device made a request" }, { value: "generate", label: "Make a key here" }]}
        />
        {way === "csr" ? (
          <Textarea label="Request (PKCS #10, PEM)" description="Its key is the new one; names and subject are those above" minRows={6} maxRows={12} className="mono" value={csr} onChange={(event) => setCsr(event.currentTarget.value)} placeholder="-----BEGIN CERTIFICATE REQUEST-----" />
        ) : (
          <Select label="Key" description="Made on the server, shown once, kept nowhere" data={KEYS} value={key} onChange={(value) => setKey(value ?? "ecdsa-p256")} />
        )}
        {issue.data?.done === false && <p role="status">It waits for approval as <Link to="/requests/$id" params={{ id: issue.data.request }}>request {issue.data.request}</Link>.</p>}
        {issue.error && <ProblemPanel error={issue.error} compact />}
        <p className="small quiet">The certificate of now stays in force until it ends. Revoke it once the new one is served everywhere.</p>
        <div className="row">
          <Button loading={issue.isPending} disabled={old === undefined || (way === "csr" && csr.trim() === "")} onClick={() => old && issue.mutate(old)}>Issue</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </div>
    </Modal>
  );
}

function IssuedResult({ issued, onClose }: { readonly issued: Issued; readonly onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} size="lg" title="Issued" closeOnClickOutside={false}>
      <div className="stack">
        <Facts items={[["Serial number", <Name key="s" text={issued.serial} mono />], ["Until", issued.not_after]]} />
        {issued.private_key && <p><strong>The private key is shown this once.</strong> Take it now, over to the device and nowhere else.</p>}
        <div className="row">
          {issued.private_key && <Copy label="Copy the private key" value={issued.private_key} />}
          <Copy label="Copy certificate and chain" value={issued.chain} />
          <Link to="/inventory/$sha256" params={{ sha256: issued.sha256 }} onClick={onClose}>Open it</Link>
        </div>
      </div>
    </Modal>
  );
}

function Copy({ label, value }: { readonly label: string; readonly value: string }) {
  return <CopyButton value={value}>{({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? "Copied" : label}</Button>}</CopyButton>;
}
