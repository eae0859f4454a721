// Which addresses of each segment were looked at, when and by whom, which never, and which a rule keeps out (R17).
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { api } from "~/api/client";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { minute } from "~/text/time";
import { type Covered, type CoverageReport, size, type Stretch, stretches } from "./shapes";

export function Coverage() {
  const asOf = useAsOf();
  const { segment, what = "" } = useSearch({ from: "/shell/discovery" });
  const coverage = useQuery({
    queryKey: ["coverage"],
    queryFn: ({ signal }) => api.get<CoverageReport>("/api/v1/coverage", { signal }),
    enabled: asOf === undefined,
  });
  if (asOf !== undefined) {
    return (
      <Empty icon="clock" title="Which address was looked at when is not kept as of a past day">
        The share of addresses that were looked at is counted once a day: see the <Link to="/radar">health radar</Link> as of then.
      </Empty>
    );
  }
  if (coverage.error) return <ProblemPanel error={coverage.error} onRetry={() => void coverage.refetch()} />;
  if (coverage.data === undefined) return <p className="quiet" role="status">Counting addresses…</p>;
  const { segments, outside } = coverage.data;
  if (segments.length === 0) {
    return (
      <Empty icon="discovery" title="No segment is known yet" command="ward segment create icu --range 10.10.0.0/24">
        A segment says which addresses belong together and what a scan may do there. Until a second person has signed its limits, nothing is sent.
      </Empty>
    );
  }
  const shown = segments.find((each) => each.segment === segment) ?? segments[0];
  return (
    <>
      <ul className="coverage-cards">
        {segments.map((each) => <Card key={each.segment} covered={each} isShown={each === shown} />)}
      </ul>
      {outside > 0 && <p><Status tone="medium">{outside.toLocaleString("en")} hosts</Status> with certificates are in no segment. <Link to="/inventory" search={{ q: "segment = none and places > 0" }}>Show them</Link></p>}
      {shown && <Detail covered={shown} what={what} />}
    </>
  );
}

function share(part: number, of: number): string {
  if (of === 0) return "0 %";
  const percent = (100 * part) / of;
  return percent > 0 && percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(percent < 10 && percent > 0 ? 1 : 0)} %`;
}

function Card({ covered, isShown }: { readonly covered: Covered; readonly isShown: boolean }) {
  const all = Math.max(1, covered.addresses);
  return (
    <li className={isShown ? "coverage-card is-shown" : "coverage-card"}>
      <Link to="/discovery" search={{ segment: covered.segment }} aria-current={isShown ? "true" : undefined}>
        <span className="coverage-head">
          <strong><Name text={covered.segment} line /></strong>
          {covered.signed ? <Status tone="ok">limits signed</Status> : <Status tone="medium">limits not signed</Status>}
        </span>
        <span className="coverage-figure"><strong>{share(covered.looked_at, covered.addresses - covered.excluded)}</strong> <span className="quiet small">looked at</span></span>
        <span className="coverage-bar" aria-hidden="true">
          <span className="coverage-looked" style={{ width: `${(100 * covered.looked_at) / all}%` }} />
          <span className="coverage-out" style={{ width: `${(100 * covered.excluded) / all}%` }} />
        </span>
        <span className="small">{covered.never.toLocaleString("en")} of {covered.addresses.toLocaleString("en")} addresses never looked at</span>
        <span className="small quiet">{covered.newest === null ? "nobody has looked yet" : <>last look <Time at={covered.newest} as="relative" /></>}</span>
      </Link>
    </li>
  );
}

const WORDS = { never: "never looked at", looked: "looked at", "left-out": "left out" } as const;

/** On a phone what does not apply is left out. */
const NONE = <span className="quiet table-none">—</span>;

function told(text: string | undefined, isMono = false) {
  return text === undefined || text === "" ? NONE : <Name text={text} mono={isMono} line />;
}

const COLUMNS: readonly Column<Stretch>[] = [
  { id: "range", header: "Addresses", width: 220, grow: 1, lead: true, cell: (row) => <Name text={row.range} mono line />, text: (row) => row.range },
  { id: "count", header: "How many", width: 96, align: "end", cell: (row) => size(row.range)?.toLocaleString("en") ?? "—", text: (row) => String(size(row.range) ?? "") },
  { id: "what", header: "State", width: 150, cell: (row) => <Status tone={row.what === "never" ? "medium" : row.what === "looked" ? "ok" : "none"}>{WORDS[row.what]}</Status>, text: (row) => WORDS[row.what] },
  { id: "at", header: "When", width: 170, cell: (row) => (row.at === undefined ? NONE : <Time at={row.at} as="minute" />), text: (row) => (row.at === undefined ? "" : minute(row.at)) },
  { id: "by", header: "By whom", width: 150, grow: 1, cell: (row) => told(row.by), text: (row) => row.by ?? "" },
  { id: "ports", header: "Ports", width: 120, cell: (row) => told(row.ports, true), text: (row) => row.ports ?? "" },
  { id: "rule", header: "Whose rule", width: 200, grow: 1, cell: (row) => told(row.rule), text: (row) => row.rule ?? "" },
  { id: "scan", header: "Scan or file", width: 200, hidden: true, cell: (row) => told(row.scan), text: (row) => row.scan ?? "" },
];

function Detail({ covered, what }: { readonly covered: Covered; readonly what: string }) {
  const navigate = useNavigate();
  const rows = stretches(covered).filter((row) => what === "" || row.what === what);
  return (
    <Panel title={<>Addresses of <Name text={covered.segment} most={63} /></>} note={`${covered.looked_at.toLocaleString("en")} looked at, ${covered.in_full.toLocaleString("en")} on every port that is allowed, ${covered.stale.toLocaleString("en")} longer than 30 days ago, ${covered.excluded.toLocaleString("en")} left out by rules`} flush>
      <DataTable
        id={`coverage-${covered.segment}`}
        label={`Addresses of ${covered.segment}`}
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => `${row.what} ${row.range} ${row.ports ?? ""} ${row.rule ?? ""}`}
        exports={[{ label: "Every range, up to 10,000 of each sort (JSON)", href: api.href("/api/v1/coverage", { query: { segment: covered.segment, ranges: 10_000 } }) }]}
        tools={
          <Select
            size="xs"
            aria-label="Which addresses"
            allowDeselect={false}
            data={[{ value: "", label: "All addresses" }, { value: "never", label: "Never looked at" }, { value: "looked", label: "Looked at" }, { value: "left-out", label: "Left out by a rule" }]}
            value={what}
            onChange={(value) => void navigate({ to: "/discovery", search: { segment: covered.segment, ...(value ? { what: value } : {}) } })}
          />
        }
        empty={<p className="discovery-none">{what === "never" ? "Every address has been looked at, or is left out by a rule." : "There is no such address."}</p>}
      />
      {covered.shortened && <p className="discovery-none small">Of each sort the first hundred ranges stand here; the counts above are of all, and the export has up to ten thousand.</p>}
    </Panel>
  );
}
