// Where everything stands: site → segment → device → service → certificate, and the flows of health information (R16).
import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Weight } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { Drawing, FlowTable } from "./Flows";
import { type Node, state, target, type Topology as Seen } from "./nodes";
import { Tree } from "./Tree";
import "./topology.css";

export function Topology() {
  const asOf = useAsOf();
  const { flow, flows } = useSearch({ from: "/shell/topology" });
  const [looked, setLooked] = useState<Node>();
  const top = useQuery({ queryKey: ["topology", "top", asOf], queryFn: ({ signal }) => api.get<Seen>("/api/v1/topology", { query: { as_of: asOf, limit: 500 }, signal }) });
  if (top.error) return <Page title="Topology"><ProblemPanel error={top.error} onRetry={() => void top.refetch()} /></Page>;
  if (top.data === undefined) return <Page title="Topology" about="Sites, segments, devices and the flows between them"><p className="quiet" role="status">Reading…</p></Page>;
  const all = top.data.flows?.edges ?? [];
  const edges = flows === "gaps" ? all.filter((edge) => state(edge) === "lacks") : all;
  return (
    <Page title="Topology" about="Sites, segments, devices and the flows between them">
      {top.data.nodes.length === 0 ? (
        <Empty icon="topology" title="Nothing is known yet" command="ward segment create icu --range 10.10.0.0/24">Sites and segments come from the limits of segments and from the register of assets.</Empty>
      ) : (
        <div className="topology-top">
          <Panel title="Where everything stands" note="Arrows open and walk, Enter leads there" flush><Tree roots={top.data.nodes} onLook={setLooked} /></Panel>
          <Panel title={looked ? <Name text={looked.label} most={80} /> : "What is chosen"}>{looked ? <Chosen node={looked} /> : <p className="quiet">Choose a line of the tree.</p>}</Panel>
        </div>
      )}
      <Panel
        title="Flows of health information"
        note={`${edges.length} of ${all.length}${top.data.flows?.next ? ", and more" : ""}`}
        actions={flows === "gaps" ? <Link to="/topology">Show all</Link> : <Link to="/topology" search={{ flows: "gaps" }}>Only those that lack something</Link>}
        flush
      >
        {edges.length === 0 ? (
          <Empty icon="topology" title={flows === "gaps" ? "No flow lacks anything" : "No flow is drawn yet"} command="ward flow add">Which system gives what to which one is drawn by the integration team; Ward says what protects it.</Empty>
        ) : (
          <><Drawing edges={edges} chosen={flow} /><FlowTable edges={edges} chosen={flow} /></>
        )}
      </Panel>
    </Page>
  );
}

function Chosen({ node }: { readonly node: Node }) {
  const to = target(node);
  return (
    <div className="stack">
      <Facts
        items={[
          ["What", node.kind === "rest" ? "services of no known asset" : node.kind],
          ...(node.detail ? ([["More", <Name key="d" text={node.detail} most={200} />]] as const) : []),
          ...(node.certificate
            ? ([["Certificate", <Name key="c" text={node.certificate.subject} most={200} />], ["Ends", <Time key="e" at={node.certificate.expires * 1000} />]] as const)
            : ([["Certificates", node.certificates.toLocaleString("en")]] as const)),
          ["Worst risk", <Weight key="w" value={node.worst} />],
          ["Health information", node.phi ? "yes" : "no"],
        ]}
      />
      <Link to={to.to} search={to.search as never}>{node.certificate ? "Open the certificate" : node.kind === "asset" ? "Open the asset" : "Show its certificates"}</Link>
    </div>
  );
}
