// Renewing: the same names from the same profile, with a new key. What will happen and what depends on it stand there at once,
// and one press is left. Where Ward may make no key, it says why and takes the request of whoever holds it.
import { Button, CopyButton, Modal, TextInput, Textarea } from "@mantine/core";
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
import { day } from "~/text/time";
import type { ProfileView } from "../authorities/types";
import { Radius } from "../inventory/Radius";
import { wayOf } from "./renewal";
import { useBlastRadius } from "./revocation";
import { ignoreHeldKey, takeFocus } from "./take-focus";

type Issued = components["schemas"]["IssuedView"];

interface Stored {
  readonly profile: string;
  readonly names: readonly string[];
  readonly subject: string;
}

interface RenewDialogProps {
  readonly certificate: Shown;
  readonly onClose: () => void;
}

export function RenewDialog({ certificate, onClose }: RenewDialogProps) {
  const [issued, setIssued] = useState<Issued>();
  const stored = useQuery({
    queryKey: ["certificates", certificate.sha256],
    queryFn: () => api.get<Stored>("/api/v1/certificates/{id}", { path: { id: certificate.sha256 } }),
  });
  const old = stored.data;
  const profiles = useQuery({ queryKey: ["profiles"], queryFn: () => api.get<readonly ProfileView[]>("/api/v1/profiles") });
  const profile = profiles.data?.find((each) => each.name === old?.profile);
  const radius = useBlastRadius(certificate.sha256);
  if (issued !== undefined) return <IssuedResult issued={issued} onClose={onClose} />;
  const error = stored.error ?? profiles.error;
  const end = day(certificate.expires * 1000);
  const isOver = certificate.revoked !== null || certificate.expires * 1000 < Date.now();
  return (
    <Modal opened onClose={onClose} size="lg" title="Renew this certificate">
      <div className="stack">
        <Radius radius={radius.data} isPending={radius.isPending} title={isOver ? "What depends on it" : `What stops on ${end}, unless the new one is in its place`} />
        {error && <ProblemPanel error={error} onRetry={() => void Promise.all([stored.refetch(), profiles.refetch()])} compact />}
        {old && profiles.data && profile === undefined && <p>Its profile, <Name text={old.profile} most={80} />, is no more. Issue a new one from a profile of now, and revoke this one.</p>}
        {old && profile && radius.isFetched && <Offer certificate={certificate} old={old} profile={profile} onIssued={setIssued} onClose={onClose} />}
      </div>
    </Modal>
  );
}

interface OfferProps extends RenewDialogProps {
  readonly old: Stored;
  readonly profile: ProfileView;
  readonly onIssued: (issued: Issued) => void;
}

/** What will happen, and the one thing to press. */
function Offer({ certificate, old, profile, onIssued, onClose }: OfferProps) {
  const { key, because, usual, needsEvidence } = wayOf(profile, certificate);
  const [takesRequest, setTakesRequest] = useState(key === undefined);
  const [csr, setCsr] = useState("");
  const [evidence, setEvidence] = useState("");
  const lacks = (takesRequest && csr.trim() === "") || (needsEvidence && evidence.trim() === "");
  const issue = useAct<undefined, Issued>({
    call: () => {
      const support = needsEvidence ? { evidence: [{ kind: "note", text: evidence.trim() }] } : {};
      return api.post<Issued>("/api/v1/certificates", { body: { profile: profile.name, subject: old.subject, names: old.names, ...support, ...(takesRequest ? { csr } : { generate: key }) } });
    },
    done: () => "The new certificate is issued",
    then: onIssued,
  });
  return (
    <>
      <Facts
        items={[
          ["Names", <Name key="n" text={old.names.join(", ")} most={400} none="none" />],
          ["Profile", <span key="p"><Name text={profile.name} />, as it is now <span className="quiet">(version {profile.version})</span></span>],
          ["In force", `${usual} from now, no longer than its authority. This one stays in force beside it until it ends or is revoked.`],
          ["Key", takesRequest ? "that of the request" : `a new one (${key ?? ""}), made here, shown once and kept nowhere`],
        ]}
      />
      {takesRequest && because !== undefined && <p>{because} The device or program makes one, and a request with it:</p>}
      {takesRequest && <Textarea ref={takeFocus} label="Request (PKCS #10, PEM)" description="Its key is the new one; names and subject are those above" minRows={4} maxRows={12} classNames={{ input: "mono" }} value={csr} onChange={(event) => setCsr(event.currentTarget.value)} placeholder="-----BEGIN CERTIFICATE REQUEST-----" />}
      {needsEvidence && <TextInput ref={takesRequest ? undefined : takeFocus} label="What speaks for it" description={`Profile ${profile.name} asks for evidence: a ticket, a contract, who was asked. It is kept with the certificate and in the log`} maxLength={500} value={evidence} onChange={(event) => setEvidence(event.currentTarget.value)} />}
      {issue.data?.done === false && <p role="status">It waits for approval as <Link to="/requests/$id" params={{ id: issue.data.request }} onClick={onClose}>request {issue.data.request}</Link>.</p>}
      {issue.error && <ProblemPanel error={issue.error} compact />}
      <div className="row">
        <Button ref={takesRequest || needsEvidence ? undefined : takeFocus} loading={issue.isPending} disabled={lacks} onKeyDown={ignoreHeldKey} onClick={() => issue.mutate(undefined)}>Renew</Button>
        <Button variant="default" onClick={onClose}>Leave it</Button>
        {because === undefined && <Button variant="subtle" onClick={() => setTakesRequest(!takesRequest)}>{takesRequest ? "Make a key here instead" : "With a request of the device instead"}</Button>}
      </div>
    </>
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
