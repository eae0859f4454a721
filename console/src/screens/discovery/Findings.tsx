// What is wrong, the heaviest first: whose rule, what to do, and waivers with an owner, a reason and an end.
import { Button, Modal, Select, Textarea, TextInput } from "@mantine/core";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { tell } from "~/parts/Notices";
import { Weight } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { day } from "~/text/time";
import type { Finding, Rule } from "./shapes";

interface FindingPage {
  readonly findings: readonly Finding[];
  readonly next: string | null;
}

const PAGE = 200;

export function Findings() {
  const { show = "open", rule, severity, segment, owner, since } = useSearch({ from: "/shell/discovery" });
  const asOf = useAsOf();
  const navigate = useNavigate();
  const may = useMay("manage-findings") && asOf === undefined;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const query = { show: asOf === undefined ? show : undefined, rule, severity, segment, owner, since, as_of: asOf };
  const rules = useQuery({ queryKey: ["findings", "rules"], queryFn: () => api.get<readonly Rule[]>("/api/v1/findings/rules"), staleTime: 3_600_000 });
  const pages = useInfiniteQuery({
    queryKey: ["findings", query],
    queryFn: ({ pageParam, signal }) => api.get<FindingPage>("/api/v1/findings", { query: { ...query, limit: PAGE, after: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.findings) ?? [], [pages.data]);
  const byId = useMemo(() => new Map((rules.data ?? []).map((each) => [each.id, each])), [rules.data]);
  const columns = useMemo(() => columnsOf(byId), [byId]);
  const go = (change: Record<string, string | undefined>) => {
    setChosen(new Set());
    const next = { tab: "findings", show, rule, severity, segment, owner, since, ...change };
    void navigate({ to: "/discovery", search: Object.fromEntries(Object.entries(next).filter(([, value]) => value)) });
  };
  return (
    <>
      {(since ?? segment ?? owner) !== undefined && (
        <p className="row">
          <span className="quiet">Only{segment !== undefined && <> in <Name text={segment} most={63} /></>}{owner !== undefined && <> of <Name text={owner} most={63} /></>}{since !== undefined && <> found since <Time at={Date.parse(since)} as="minute" /></>}.</span>
          <Link to="/discovery" search={{ tab: "findings" }}>Show all</Link>
        </p>
      )}
      <DataTable
        id="findings"
        label="Findings"
        columns={columns}
        rows={rows}
        rowKey={(row) => row.id}
        isLoading={pages.isPending}
        error={pages.error}
        onRetry={() => void pages.refetch()}
        hasMore={pages.hasNextPage}
        isLoadingMore={pages.isFetchingNextPage}
        onMore={() => void pages.fetchNextPage()}
        {...(may ? { selection: { chosen, change: setChosen }, bulk: <Bulk rows={rows.filter((row) => chosen.has(row.id))} onDone={() => setChosen(new Set())} /> } : {})}
        tools={
          <>
            {asOf === undefined && <Select size="xs" w={120} aria-label="Which findings" allowDeselect={false} data={[{ value: "open", label: "Open" }, { value: "waived", label: "Waived" }, { value: "closed", label: "Closed" }, { value: "all", label: "All" }]} value={show} onChange={(value) => go({ show: value ?? "open" })} />}
            <Select size="xs" w={150} aria-label="How heavy" clearable placeholder="Any weight" data={["critical", "high", "medium", "low"].map((value) => ({ value, label: value === "critical" ? value : `${value} and more` }))} value={severity ?? null} onChange={(value) => go({ severity: value ?? undefined })} />
            <Select size="xs" w={240} aria-label="Rule" searchable clearable placeholder="Any rule" data={(rules.data ?? []).map((each) => ({ value: each.id, label: each.title }))} value={rule ?? null} onChange={(value) => go({ rule: value ?? undefined })} />
          </>
        }
        empty={<Empty icon="check" title="There is no such finding">Findings come from scans, agents and what was brought in, judged by the rules of docs/findings.md.</Empty>}
      />
    </>
  );
}

function columnsOf(rules: ReadonlyMap<string, Rule>): readonly Column<Finding>[] {
  return [
    { id: "severity", header: "Weight", width: 104, cell: (row) => <Weight value={row.severity} />, text: (row) => row.severity },
    { id: "what", header: "What", width: 260, grow: 3, lead: true, cell: (row) => <span title={`${row.title}: ${row.what}`}><Name text={`${row.title}: ${row.what}`} line /></span>, text: (row) => `${row.title}: ${row.what}` },
    {
      id: "about",
      header: "Certificate or place",
      width: 180,
      grow: 2,
      cell: (row) => (row.sha256 === null ? <Name text={row.place ?? row.subject} line /> : <Link to="/inventory/$sha256" params={{ sha256: row.sha256 }} tabIndex={-1}><Name text={row.certificate_subject ?? row.sha256} line none="(no subject)" /></Link>),
      text: (row) => row.certificate_subject ?? row.place ?? row.subject,
    },
    { id: "citation", header: "Whose rule", width: 190, grow: 1, cell: (row) => <span title={rules.get(row.rule)?.citation}><Name text={rules.get(row.rule)?.citation ?? row.rule} line /></span>, text: (row) => rules.get(row.rule)?.citation ?? row.rule },
    { id: "segment", header: "Segment", width: 110, cell: (row) => <Name text={row.segment} line />, text: (row) => row.segment ?? "" },
    { id: "owner", header: "Owner", width: 110, cell: (row) => <Name text={row.owner} line none="nobody" />, text: (row) => row.owner ?? "" },
    { id: "opened", header: "Since", width: 100, cell: (row) => <Time at={row.opened} />, text: (row) => day(row.opened) },
    { id: "waived", header: "Waived until", width: 110, cell: (row) => (row.waived_until === null ? <span className="quiet">—</span> : <Time at={row.waived_until} />), text: (row) => (row.waived_until === null ? "" : day(row.waived_until)) },
    { id: "remedy", header: "What to do", width: 260, grow: 1, hidden: true, cell: (row) => <Name text={rules.get(row.rule)?.remedy} line />, text: (row) => rules.get(row.rule)?.remedy ?? "" },
    { id: "rule", header: "Rule", width: 140, hidden: true, cell: (row) => <Name text={row.rule} mono line />, text: (row) => row.rule },
  ];
}

function Bulk({ rows, onDone }: { readonly rows: readonly Finding[]; readonly onDone: () => void }) {
  const [isOpen, setOpen] = useState(false);
  const open = rows.filter((row) => row.waived_until === null && row.closed === null);
  const waived = rows.filter((row) => row.waived_until !== null);
  const queries = useQueryClient();
  const [problem, setProblem] = useState<string>();
  const back = async () => {
    const said = await each(waived, (row) => api.delete<unknown>("/api/v1/findings/{id}/waive", { path: { id: row.id } }));
    await queries.invalidateQueries({ queryKey: ["findings"] });
    setProblem(said.map((one) => one.text).join(" "));
    if (said.length === 0) {
      tell({ kind: "done", text: `${waived.length} count as open again` });
      onDone();
    }
  };
  return (
    <>
      <Button variant="default" size="compact-sm" disabled={open.length === 0} onClick={() => setOpen(true)}>Waive…</Button>
      {waived.length > 0 && <Button variant="default" size="compact-sm" onClick={() => void back()}>Take waivers back</Button>}
      {problem && <span role="alert" className="small"><Name text={problem} most={200} /></span>}
      {isOpen && <WaiveDialog rows={open} onClose={() => setOpen(false)} onDone={() => { setOpen(false); onDone(); }} />}
    </>
  );
}

interface Said {
  readonly row: Finding;
  readonly text: string;
}

/** One call each; what was refused, or waits for somebody. */
async function each(rows: readonly Finding[], call: (row: Finding) => Promise<{ readonly done: boolean }>): Promise<readonly Said[]> {
  const said: Said[] = [];
  for (const row of rows) {
    try {
      if (!(await call(row)).done) said.push({ row, text: "It waits for somebody's approval." });
    } catch (error) {
      const { detail, accepted } = asProblem(error).problem;
      said.push({ row, text: accepted ? `${detail} Accepted: ${accepted}` : detail });
    }
  }
  return said;
}

const DAY = 86_400_000;

function WaiveDialog({ rows, onClose, onDone }: { readonly rows: readonly Finding[]; readonly onClose: () => void; readonly onDone: () => void }) {
  const queries = useQueryClient();
  const [owner, setOwner] = useState("");
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState(day(Date.now() + 90 * DAY));
  const [said, setSaid] = useState<readonly Said[]>();
  const [isBusy, setBusy] = useState(false);
  const waive = async () => {
    setBusy(true);
    const result = await each(rows, (row) => api.post<unknown>("/api/v1/findings/{id}/waive", { path: { id: row.id }, body: { owner, reason, until: `${until}T23:59:59Z` } }));
    await queries.invalidateQueries({ queryKey: ["findings"] });
    setBusy(false);
    setSaid(result);
    if (result.length > 0) return;
    tell({ kind: "done", text: `${rows.length === 1 ? "The finding is" : `${rows.length} findings are`} waived until ${until}` });
    onDone();
  };
  return (
    <Modal opened onClose={onClose} closeButtonProps={{ "aria-label": "Close" }} title={rows.length === 1 ? "Waive this finding" : `Waive ${rows.length.toLocaleString("en")} findings`}>
      <form className="stack" onSubmit={(event: FormEvent) => { event.preventDefault(); void waive(); }}>
        <ul className="waive-what">
          {rows.slice(0, 5).map((row) => <li key={row.id}><Weight value={row.severity} /> <Name text={`${row.title}: ${row.what}`} most={240} /></li>)}
          {rows.length > 5 && <li className="quiet">and {rows.length - 5} more</li>}
        </ul>
        <p className="small">A waiver bears a weakness for a while and does not end it: the radar counts it as before. Incidents are not waived.</p>
        <TextInput label="Who answers for it" required data-autofocus maxLength={200} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
        <Textarea label="Why it can be borne" description="Ten characters and more; stands in the audit log" required minLength={10} maxLength={1000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <TextInput label="Until" description="The end of this day, UTC; within a year" type="date" required min={day(Date.now() + DAY)} max={day(Date.now() + 364 * DAY)} value={until} onChange={(event) => setUntil(event.currentTarget.value)} />
        {said && said.length > 0 && <ul className="waive-said" role="alert">{said.map((one) => <li key={one.row.id}><Name text={one.text} most={400} /></li>)}</ul>}
        <div className="row">
          <Button type="submit" loading={isBusy}>Waive</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}
