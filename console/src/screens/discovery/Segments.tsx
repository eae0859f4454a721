// What may be sent where, how often, and by which agent.
import { useQuery } from "@tanstack/react-query";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import type { SegmentView } from "./shapes";

type AgentView = components["schemas"]["AgentView"];

function every(hours: number | undefined): string {
  if (hours === undefined) return "when somebody asks";
  return hours % 24 === 0 ? `every ${hours / 24} days` : `every ${hours} hours`;
}

function text(id: string, header: string, width: number, of: (row: SegmentView) => string | undefined, more: Partial<Column<SegmentView>> = {}): Column<SegmentView> {
  return { id, header, width, cell: (row) => <Name text={of(row)} line />, text: (row) => of(row) ?? "", ...more };
}

const COLUMNS: readonly Column<SegmentView>[] = [
  text("name", "Segment", 140, (row) => row.segment.name, { lead: true, grow: 1 }),
  { id: "signed", header: "Limits", width: 130, cell: (row) => (row.in_force ? <Status tone="ok">signed</Status> : <Status tone="medium">not signed</Status>), text: (row) => (row.in_force ? "signed" : "not signed") },
  text("ranges", "Addresses", 160, (row) => row.segment.ranges.join(", "), { grow: 1 }),
  text("ports", "Ports", 140, (row) => row.segment.ports.join(", ") || undefined, { grow: 1 }),
  text("every", "How often", 140, (row) => every(row.segment.every_hours)),
  text("hours", "When", 170, (row) => (row.segment.hours.length === 0 ? "never" : `${row.segment.hours.join(", ")} ${row.segment.zone}`), { grow: 1 }),
  { id: "rate", header: "A second", width: 90, align: "end", cell: (row) => row.segment.rate, text: (row) => String(row.segment.rate) },
  text("depth", "Depth", 90, (row) => row.segment.depth),
  text("relay", "Looked at by", 130, (row) => row.segment.relay ?? "Ward itself"),
  text("site", "Site", 120, (row) => row.segment.site, { hidden: true }),
  text("owner", "Owner", 120, (row) => row.segment.owner, { hidden: true }),
  text("signer", "Signed by", 160, (row) => row.signed?.by.id, { hidden: true }),
];

export function Segments() {
  const asOf = useAsOf();
  const segments = useQuery({ queryKey: ["segments", asOf], queryFn: ({ signal }) => api.get<readonly SegmentView[]>("/api/v1/segments", { query: { as_of: asOf }, signal }) });
  return (
    <DataTable
      id="segments"
      label="Segments"
      columns={COLUMNS}
      rows={segments.data ?? []}
      rowKey={(row) => row.segment.name}
      isLoading={segments.isPending}
      error={segments.error}
      onRetry={() => void segments.refetch()}
      empty={<Empty icon="discovery" title="No segment is known yet" command="ward segment create icu --range 10.10.0.0/24">IT security writes what a scan may do in it, clinical engineering signs that patients can bear it.</Empty>}
    />
  );
}

const SILENT_MS = 3_600_000;

export function Agents() {
  const asOf = useAsOf();
  const agents = useQuery({ queryKey: ["agents"], queryFn: ({ signal }) => api.get<readonly AgentView[]>("/api/v1/agents", { signal }), enabled: asOf === undefined });
  if (asOf !== undefined) return <Empty icon="clock" title="Agents are shown as of now only">The audit log has what was done about them.</Empty>;
  if (agents.error) return <ProblemPanel error={agents.error} onRetry={() => void agents.refetch()} />;
  if (agents.data === undefined) return <p className="quiet" role="status">Reading…</p>;
  if (agents.data.length === 0) {
    return <Empty icon="discovery" title="No agent works for this Ward" command="ward agent invite icu-relay --segment icu">An agent looks at a segment from within, where Ward itself cannot reach, and hands over what it found.</Empty>;
  }
  return (
    <Panel title="Agents" note={String(agents.data.length)} flush>
      <ul className="agents">
        {agents.data.map((view) => {
          const agent = view.agent as unknown as { name: string; segment: string; state: string; note?: string };
          const isSilent = typeof view.seen !== "number" || Date.now() - view.seen > SILENT_MS;
          return (
            <li key={agent.name}>
              <strong><Name text={agent.name} most={63} /></strong>
              <Status tone={agent.state !== "enrolled" && agent.state !== "active" ? "none" : isSilent ? "high" : "ok"}>{agent.state}</Status>
              <span>looks at <Name text={agent.segment} most={63} /></span>
              <span className="quiet small">{typeof view.seen === "number" ? <>heard from <Time at={view.seen} as="relative" /></> : "not heard from since Ward was started"}</span>
              <span className="quiet small"><Name text={agent.note} most={120} none="" /></span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
