// One device or server: what it is, what it holds and until when, what may enrol for it, what depends on it, what was; and
// what can be done with it.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { daysLeft } from "~/text/time";
import { CriticalityOf, StateOf } from "./columns";
import { Flows } from "./Flows";
import { History } from "./History";
import { Holdings } from "./Holdings";
import { RetireDialog } from "./RetireDialog";
import { Rights } from "./Rights";
import { PrepareDialog, Spares } from "./Spares";
import { type AssetRecord, type AssetVersion, type Holding, modelOf, type Right, rightsFor, type Spare, type StoredAsset, titleOf } from "./types";
import "./assets.css";

export function Asset() {
  const { id } = useParams({ from: "/shell/assets/$id" });
  const asOf = useAsOf();
  const stored = useQuery({
    queryKey: ["assets", id, asOf],
    queryFn: ({ signal }) => api.get<StoredAsset>("/api/v1/assets/{id}", { path: { id }, query: { as_of: asOf }, signal }),
  });
  const back = <Link to="/assets">All assets</Link>;
  if (stored.error) {
    const isUnknownThen = asOf !== undefined && asProblem(stored.error).problem.status === 404;
    return (
      <Page title="Asset" about={back}>
        {isUnknownThen ? <Empty icon="clock" title="It was not in the register then">Choose a later instant, or go back to now.</Empty> : <ProblemPanel error={stored.error} onRetry={() => void stored.refetch()} />}
      </Page>
    );
  }
  if (stored.data === undefined) return <Page title="Asset" about={back}><p className="quiet" role="status">Reading…</p></Page>;
  return <Known stored={stored.data} />;
}

function Known({ stored }: { readonly stored: StoredAsset }) {
  const { asset } = stored;
  const asOf = useAsOf();
  const then = asOf === undefined ? undefined : Date.parse(asOf);
  const mayManage = useMay("manage-assets");
  const mayEnrolment = useMay("read-enrolment");
  const holdings = useQuery({ queryKey: ["assets", asset.id, "holdings"], queryFn: () => api.get<readonly Holding[]>("/api/v1/assets/{id}/holdings", { path: { id: asset.id } }) });
  const history = useQuery({ queryKey: ["assets", asset.id, "history"], queryFn: () => api.get<readonly AssetVersion[]>("/api/v1/assets/{id}/history", { path: { id: asset.id } }) });
  const spares = useQuery({ queryKey: ["spares", asset.id], queryFn: () => api.get<readonly Spare[]>("/api/v1/spares", { query: { asset: asset.id } }) });
  const rights = useQuery({ queryKey: ["rights"], queryFn: () => api.get<readonly Right[]>("/api/v1/enrolment/rights"), enabled: mayEnrolment });
  const held = (holdings.data ?? []).filter((holding) => then === undefined || holding.issued_at <= then);
  const own = rightsFor(asset, rights.data ?? []);
  const mayChange = mayManage && asOf === undefined && asset.state !== "retired";
  const title = titleOf(asset);
  return (
    <Page
      title={title}
      heading={<Name text={title} most={80} />}
      about={<><Name text={modelOf(asset)} none={asset.kind} most={120} /> · <Link to="/assets">All assets</Link></>}
      actions={mayChange && holdings.data !== undefined && spares.data !== undefined ? <Actions asset={asset} holdings={holdings.data} spares={spares.data} rights={own.filter((each) => each.through === "this device").map((each) => each.right)} /> : undefined}
    >
      <div className="assets-strip">
        <StateOf state={asset.state} />
        <CriticalityOf value={asset.criticality} />
        {asset.phi && <Status tone="high">health information</Status>}
        {asset.owner === undefined && <Status tone="medium">nobody answers for it</Status>}
        {asset.clock !== "good" && <Status tone="medium">{asset.clock === "none" ? "has no clock" : "poor clock"}</Status>}
        <span className="quiet small">renewal {asset.renewal === "automatic" ? "by itself" : asset.renewal === "manual" ? "by hand" : "by spares"}, as it is since <Time at={stored.since} as="minute" /></span>
      </div>
      <div className="assets-columns">
        <div className="stack">
          <Panel title="Certificates" note={asOf === undefined ? "the newest first" : "given by then; their state is of now"} flush>
            {holdings.error ? <ProblemPanel error={holdings.error} compact /> : <Holdings holdings={held} isLoading={holdings.isPending} />}
          </Panel>
          <Panel title="Spares" flush>{spares.error ? <ProblemPanel error={spares.error} compact /> : <Spares spares={spares.data ?? []} mayChange={mayChange} />}</Panel>
          <Panel title="Rights to enrol" flush>
            {rights.error ? <ProblemPanel error={rights.error} compact /> : <Rights rights={own} mayRead={mayEnrolment} />}
          </Panel>
          <Panel title="Health information that passes through it"><Flows asset={asset} holdings={held} /></Panel>
        </div>
        <div className="stack">
          <Panel title="What it is"><What asset={asset} /></Panel>
          <Panel title="Where, and whose"><Where asset={asset} /></Panel>
        </div>
      </div>
      <Panel title="What was" note={history.data && `${history.data.length} ${history.data.length === 1 ? "version" : "versions"}`} flush>
        {history.error ? <ProblemPanel error={history.error} compact /> : <History versions={(history.data ?? []).filter((each) => then === undefined || each.valid_from <= then)} />}
      </Panel>
    </Page>
  );
}

interface ActionsProps {
  readonly asset: AssetRecord;
  readonly holdings: readonly Holding[];
  readonly spares: readonly Spare[];
  readonly rights: readonly Right[];
}

function Actions({ asset, holdings, spares, rights }: ActionsProps) {
  const [open, setOpen] = useState<"retire" | "spare">();
  const close = () => setOpen(undefined);
  return (
    <>
      <Button variant="default" leftSection={<Icon name="key" />} onClick={() => setOpen("spare")}>Prepare a spare…</Button>
      <Button variant="default" leftSection={<Icon name="revoke" />} onClick={() => setOpen("retire")}>Retire…</Button>
      {open === "spare" && <PrepareDialog asset={asset} onClose={close} />}
      {open === "retire" && <RetireDialog asset={asset} holdings={holdings} spares={spares} rights={rights} onClose={close} />}
    </>
  );
}

function What({ asset }: { readonly asset: AssetRecord }) {
  const ends = asset.service_life_ends;
  return (
    <Facts
      items={[
        ["Kind", asset.kind],
        ["Serial number", <Name key="s" text={asset.serial} mono />],
        ["UDI", <Name key="u" text={asset.udi} mono />],
        ["Manufacturer", <Name key="m" text={asset.manufacturer} />],
        ["Model", <Name key="o" text={asset.model} />],
        ["Names", <Name key="n" text={asset.host_names?.join(", ")} />],
        ["Service life", ends === undefined ? <span key="e" className="quiet">—</span> : <span key="e">until <Time at={ends * 1000} />{daysLeft(ends * 1000) < 365 && <> <Status tone="medium">{daysLeft(ends * 1000) < 0 ? "over" : "ends soon"}</Status></>}</span>],
        ["Keys", <Name key="k" text={asset.key_types?.join(", ")} none="whatever the profile allows" />],
        ["Note", <Name key="t" text={asset.note} most={400} />],
      ]}
    />
  );
}

function Where({ asset }: { readonly asset: AssetRecord }) {
  return (
    <Facts
      items={[
        ["Owner", asset.owner === undefined ? <Status key="o" tone="medium">nobody</Status> : <Name key="o" text={asset.owner} />],
        ["Segment", asset.segment === undefined ? <span key="g" className="quiet">—</span> : <Link key="g" to="/assets" search={{ segment: asset.segment }}><Name text={asset.segment} /></Link>],
        ["Site", <Name key="s" text={asset.site} />],
        ["Department", <Name key="d" text={asset.department} />],
        ["Serviced by", <Name key="v" text={asset.vendor} none="its manufacturer" />],
        ["Asset system", <Name key="a" text={asset.source} none="registered by hand" />],
        ["Id", <Name key="i" text={asset.id} mono />],
      ]}
    />
  );
}
