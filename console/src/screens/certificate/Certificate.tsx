// One certificate: what it is, where it lives, who depends on it, what is wrong with it, what was; renew or revoke.
import { Button, CopyButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import { useMayWhole } from "~/api/session";
import type { Explained, Shown } from "~/api/types";
import { instantOf, useAsOf } from "~/app/as-of";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status, Weight } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { day, daysLeft, relative } from "~/text/time";
import { shortSubject } from "../inventory/subject";
import { Chain } from "./Chain";
import { Doings } from "./Doings";
import { Findings, History, Places, Protects } from "./Lists";
import { RenewDialog } from "./RenewDialog";
import { canRevoke, revokedBy } from "./revocation";
import { RevokeDialog } from "./RevokeDialog";
import "./certificate.css";

export function Certificate() {
  const { sha256 } = useParams({ from: "/shell/inventory/$sha256" });
  const shown = useQuery({
    queryKey: ["certificate", sha256],
    queryFn: ({ signal }) => api.get<Shown>("/api/v1/inventory/{sha256}", { path: { sha256 }, signal }),
  });
  const certificate = shown.data;
  if (shown.error) {
    return <Page title="Certificate"><ProblemPanel error={shown.error} onRetry={() => void shown.refetch()} /></Page>;
  }
  if (certificate === undefined) return <Page title="Certificate"><p className="quiet" role="status">Reading…</p></Page>;
  return <Known certificate={certificate} />;
}

function Known({ certificate }: { readonly certificate: Shown }) {
  const asOf = useAsOf();
  const mayReadLog = useMayWhole("read-audit");
  const explained = useQuery({
    queryKey: ["certificate", certificate.sha256, "risk"],
    queryFn: () => api.get<Explained>("/api/v1/inventory/{sha256}/risk", { path: { sha256: certificate.sha256 } }),
  });
  const name = shortSubject(certificate);
  return (
    <Page
      title={name}
      heading={<Name text={name} most={120} />}
      about={<Link to="/inventory">All certificates</Link>}
      actions={asOf === undefined ? <Actions certificate={certificate} /> : undefined}
    >
      {asOf !== undefined && (
        <p className="quiet">Facts of a certificate never change. Its state here and its places in the history below are of then; chain, owner, risk and findings are of now.</p>
      )}
      <Strip certificate={certificate} then={instantOf(asOf)} />
      <div className="certificate-columns">
        <div className="stack">
          <Panel title="What it is"><Identity certificate={certificate} /></Panel>
          <Panel title="Chain"><Chain certificate={certificate} /></Panel>
        </div>
        <div className="stack">
          <Panel title="Risk" actions={<Weight value={explained.data?.level.toLowerCase() ?? certificate.risk} />}>
            <Risk explained={explained.data} error={explained.error} />
          </Panel>
          <Panel title="What is wrong with it" note={`${certificate.open_findings.length} open`} flush><Findings findings={certificate.open_findings} /></Panel>
          <Panel title="Who depends on it"><Protects certificate={certificate} explained={explained.data} /></Panel>
        </div>
      </div>
      <Panel title="What was done to it" flush>
        {mayReadLog ? <Doings certificate={certificate} asOf={asOf} /> : <p className="certificate-none">The log tells. Reading it takes <code>read-audit</code>, which your roles do not have.</p>}
      </Panel>
      <Panel title="Where it lives" note={`${certificate.at.length}${certificate.at.length === 200 ? " and perhaps more" : ""}`} flush><Places places={certificate.at} /></Panel>
      <Panel title="Where it was" flush><History history={certificate.history} asOf={asOf === undefined ? undefined : Date.parse(asOf)} /></Panel>
    </Page>
  );
}

function Actions({ certificate }: { readonly certificate: Shown }) {
  const mayIssue = useMayWhole("issue-certificate");
  const mayRevoke = useMayWhole("revoke-certificate");
  const [open, setOpen] = useState<"renew" | "revoke">();
  return (
    <>
      {mayIssue && certificate.recorded && !certificate.ca && <Button leftSection={<Icon name="renew" />} onClick={() => setOpen("renew")}>Renew…</Button>}
      {mayRevoke && canRevoke(certificate) && <Button variant="default" leftSection={<Icon name="revoke" />} onClick={() => setOpen("revoke")}>Revoke…</Button>}
      <CopyButton value={certificate.pem}>
        {({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? "Copied" : "Copy PEM"}</Button>}
      </CopyButton>
      {open === "renew" && <RenewDialog certificate={certificate} onClose={() => setOpen(undefined)} />}
      {open === "revoke" && <RevokeDialog certificate={certificate} onClose={() => setOpen(undefined)} />}
    </>
  );
}

/** The life of it on one line: begin, the instant that is looked at, end. */
function Strip({ certificate, then }: { readonly certificate: Shown; readonly then: number }) {
  const [from, to] = [certificate.starts * 1000, certificate.expires * 1000];
  const at = Math.max(0, Math.min(100, ((then - from) / Math.max(1, to - from)) * 100));
  return (
    <div className="strip">
      <div className="row">
        <State certificate={certificate} then={then} />
        {certificate.phi && <Status tone="high">health information</Status>}
        {certificate.patient_facing && <Status tone="high">patient-facing</Status>}
        {certificate.ca && <Status tone="low">authority</Status>}
        {certificate.self_signed && !certificate.ca && <Status tone="medium">self-signed</Status>}
        {!certificate.recorded && <Status tone="none">not issued by this Ward</Status>}
      </div>
      <div className="strip-line" role="img" aria-label={`Valid from ${day(from)} to ${day(to)}, ${Math.round(at)} percent of it passed`}>
        <span className="strip-passed" style={{ width: `${at}%` }} />
        <span className="strip-now" style={{ left: `${at}%` }} />
      </div>
      <div className="row wide small">
        <span><Time at={from} as="minute" /></span>
        <span><Time at={to} as="minute" /></span>
      </div>
    </div>
  );
}

function State({ certificate, then }: { readonly certificate: Shown; readonly then: number }) {
  const revoked = revokedBy(certificate, then);
  if (revoked === "then") return <Status tone="critical">revoked{certificate.revoked_at !== null && ` ${relative(certificate.revoked_at * 1000, then)}`}</Status>;
  const [from, to] = [certificate.starts * 1000, certificate.expires * 1000];
  const left = daysLeft(to, then);
  return (
    <>
      {then < from && <Status tone="none">not yet in force</Status>}
      {then >= from && left < 0 && <Status tone="critical">expired {relative(to, then)}</Status>}
      {then >= from && left >= 0 && <Status tone={left < 30 ? "high" : left < 90 ? "medium" : "ok"}>{left} days left</Status>}
      {revoked === "later" && <span className="quiet">revoked later, on <Time at={(certificate.revoked_at ?? 0) * 1000} /></span>}
    </>
  );
}

function Identity({ certificate }: { readonly certificate: Shown }) {
  return (
    <Facts
      items={[
        ["Subject", <Name key="s" text={certificate.subject} most={600} none="(empty)" />],
        ["Names", certificate.names.length === 0 ? <span key="n" className="quiet">none</span> : <ul key="n">{certificate.names.slice(0, 50).map((name) => <li key={name}><Name text={name} mono /></li>)}{certificate.names.length > 50 && <li className="quiet">and {certificate.names.length - 50} more, in the PEM</li>}</ul>],
        ["Issuer", <Name key="i" text={certificate.issuer} most={600} />],
        ["Serial number", <Name key="c" text={certificate.serial} mono />],
        ["Key", <span key="k"><Name text={certificate.key} /> · {certificate.bits} bits{certificate.same_key.length > 0 && <> · <Link to="/inventory" search={{ q: `sha256 = ${certificate.sha256} or shared-key and key = ${certificate.key}` }}>{certificate.same_key.length} with the same key</Link></>}</span>],
        ["Signature", <Name key="g" text={certificate.signature} />],
        ["SHA-256", <Name key="f" text={certificate.sha256} mono />],
        ["Owner", certificate.owner === null ? <Status key="o" tone="medium">nobody answers for it</Status> : <span key="o"><Name text={certificate.owner} />{certificate.owner_by && <span className="quiet"> by <Name text={certificate.owner_by} /></span>}</span>],
        ["Asset", certificate.asset === null ? <span key="a" className="quiet">none known</span> : <Link key="a" to="/assets/$id" params={{ id: certificate.asset }}><Name text={certificate.asset} /></Link>],
        ["Segment, site", <span key="g2"><Name text={certificate.segment} /> · <Name text={certificate.site} /></span>],
        ["Criticality", <Name key="cr" text={certificate.criticality} />],
        ["Found by", <span key="h">{certificate.how.join(", ")}, first <Time at={certificate.first_seen} as="relative" />, last <Time at={certificate.last_seen} as="relative" /></span>],
      ]}
    />
  );
}

function Risk({ explained, error }: { readonly explained: Explained | undefined; readonly error: unknown }) {
  if (error) return <ProblemPanel error={error} compact />;
  if (explained === undefined) return <p className="quiet" role="status">Asking…</p>;
  return (
    <div className="stack tight">
      <ul className="certificate-because">
        {explained.because.map((reason) => <li key={`${reason.what} ${reason.text}`}><Name text={reason.text} /></li>)}
      </ul>
      <p><strong>What to do:</strong> {explained.action}</p>
    </div>
  );
}
