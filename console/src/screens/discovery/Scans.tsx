// Scans as they run, and those before; who may starts, stops and resumes them (R17).
import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { type Progress, useProgress } from "~/api/live";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status, type Tone } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { minute } from "~/text/time";
import type { Scan, SegmentView } from "./shapes";

const OPEN = new Set(["queued", "running", "waiting", "open", "taken"]);

function tone(state: string): Tone {
  if (state === "done") return "ok";
  if (OPEN.has(state)) return "low";
  return state === "failed" || state === "refused" ? "critical" : "none";
}

export function Scans() {
  const isPast = useAsOf() !== undefined;
  const mayRun = useMay("run-discovery") && !isPast;
  const progress = useProgress();
  const scans = useQuery({ queryKey: ["scans"], queryFn: ({ signal }) => api.get<{ scans: readonly Scan[]; next: string | null }>("/api/v1/scans", { query: { limit: 200 }, signal }) });
  if (scans.error) return <ProblemPanel error={scans.error} onRetry={() => void scans.refetch()} />;
  const rows = (scans.data?.scans ?? []).map((scan) => newest(scan, progress.get(scan.id)));
  const running = rows.filter((scan) => OPEN.has(scan.state));
  return (
    <>
      {mayRun && <Start />}
      <Panel title="Running now" note={running.length === 0 ? "nothing" : String(running.length)}>
        {running.length === 0 ? <p className="quiet">No scan is running. When one does, it moves here by itself.</p> : <ul className="scans">{running.map((scan) => <Running key={scan.id} scan={scan} mayStop={mayRun} />)}</ul>}
      </Panel>
      <DataTable
        id="scans"
        label="Scans"
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => row.id}
        isLoading={scans.isPending}
        hasMore={false}
        empty={<Empty icon="discovery" title="Nobody has scanned yet" command="ward discover scan icu">A scan looks at a segment within the limits that a second person has signed, slowly enough for the most fragile device.</Empty>}
      />
    </>
  );
}

function newest(scan: Scan, told: Progress | undefined): Scan {
  return told === undefined || !OPEN.has(scan.state) || told.done < scan.done ? scan : { ...scan, done: told.done, total: told.total, state: told.state ?? scan.state };
}

function Running({ scan, mayStop }: { readonly scan: Scan; readonly mayStop: boolean }) {
  const stop = useAct<string, unknown>({
    call: (id) => api.post<unknown>("/api/v1/scans/{id}/stop", { path: { id }, query: { why: "stopped in the console" } }),
    done: () => `The scan of ${scan.segment} is stopped`,
    touches: ["scans", "coverage"],
  });
  return (
    <li className="scan">
      <div className="row wide">
        <span><strong><Name text={scan.segment} most={63} /></strong> <span className="quiet small">since <Time at={scan.started_at} as="relative" />, by <Name text={scan.started_by} most={64} /></span></span>
        <span className="row"><Status tone={tone(scan.state)}>{scan.state}</Status>{mayStop && <Button size="compact-sm" variant="default" loading={stop.isPending} onClick={() => stop.mutate(scan.id)}>Stop</Button>}</span>
      </div>
      <progress max={Math.max(1, scan.total)} value={scan.done} aria-label={`Scan of ${scan.segment}`} />
      <span className="small quiet">{scan.done.toLocaleString("en")} of {scan.total.toLocaleString("en")} targets</span>
      {stop.error && <ProblemPanel error={stop.error} compact />}
    </li>
  );
}

function Start() {
  const [segment, setSegment] = useState<string | null>(null);
  const segments = useQuery({ queryKey: ["segments", undefined], queryFn: ({ signal }) => api.get<readonly SegmentView[]>("/api/v1/segments", { signal }) });
  const signed = (segments.data ?? []).filter((each) => each.in_force).map((each) => each.segment.name);
  const start = useAct<string, Scan>({
    call: (name) => api.post<Scan>("/api/v1/scans", { body: { segment: name } }),
    done: () => `${segment ?? "The segment"} is looked at within its limits`,
    touches: ["scans"],
  });
  return (
    <Panel title="Look at a segment" note="Within the limits that are signed, in the hours that they name">
      <div className="row">
        <Select aria-label="Segment" placeholder={signed.length === 0 ? "no segment has signed limits" : "Segment"} data={signed} value={segment} onChange={setSegment} />
        <Button disabled={segment === null} loading={start.isPending} onClick={() => segment !== null && start.mutate(segment)}>Scan</Button>
      </div>
      {start.error && <ProblemPanel error={start.error} compact />}
    </Panel>
  );
}

const COLUMNS: readonly Column<Scan>[] = [
  { id: "segment", header: "Segment", width: 140, grow: 1, lead: true, cell: (row) => <Name text={row.segment} line />, text: (row) => row.segment },
  { id: "state", header: "State", width: 120, cell: (row) => <Status tone={tone(row.state)}>{row.state}</Status>, text: (row) => row.state },
  { id: "targets", header: "Targets", width: 130, align: "end", cell: (row) => `${row.done.toLocaleString("en")} of ${row.total.toLocaleString("en")}`, text: (row) => `${row.done} of ${row.total}` },
  { id: "started", header: "Begun", width: 170, cell: (row) => <Time at={row.started_at} as="minute" />, text: (row) => minute(row.started_at) },
  { id: "ended", header: "Ended", width: 170, cell: (row) => (row.ended_at === null ? <span className="quiet">—</span> : <Time at={row.ended_at} as="minute" />), text: (row) => (row.ended_at === null ? "" : minute(row.ended_at)) },
  { id: "by", header: "By", width: 160, grow: 1, cell: (row) => <Name text={row.started_by} line />, text: (row) => row.started_by },
  { id: "silent", header: "Fell silent", width: 110, align: "end", cell: (row) => row.stopped, text: (row) => String(row.stopped) },
  { id: "note", header: "Why", width: 200, grow: 1, cell: (row) => <Name text={row.note} line />, text: (row) => row.note ?? "" },
];
