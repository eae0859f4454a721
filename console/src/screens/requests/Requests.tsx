// What waits for somebody's word: mine, what I asked for, and everything that I may see.
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { DataTable } from "~/parts/table/DataTable";
import { COLUMNS, type Row, rowsOf } from "./columns";
import { useWaitingDevices } from "./devices";
import { readRequests } from "./list";
import { OPEN, SORTS, stateOf } from "./types";
import "./requests.css";

type Show = "for-me" | "mine" | "all";

const SHOWS: readonly (readonly [show: Show, label: string])[] = [["for-me", "For me"], ["mine", "Mine"], ["all", "All"]];
const STATES = ["pending", "approved", "review", "fulfilled", "denied", "expired", "executing", "failed", "reviewed", "objected"];
const ANY = "";

export function Requests() {
  const search = useSearch({ from: "/shell/requests" });
  const asOf = useAsOf();
  const navigate = useNavigate();
  const mayDecide = useMay("approve-requests");
  const [sort, setSort] = useState<string | undefined>("-asked");
  const devices = useWaitingDevices();
  const asked = useQuery({
    queryKey: ["requests", "list", asOf],
    queryFn: ({ signal }) => readRequests(asOf, signal),
  });
  const show = shown(search.show, mayDecide);
  const rows = rowsOf(asked.data ?? [], devices);
  const counts: Readonly<Record<Show, number>> = { "for-me": rows.filter(isForMe).length, mine: rows.filter((row) => row.request.own && OPEN.has(row.request.state)).length, all: rows.length };
  const fitting = rows.filter((row) => fits(row, show) && (search.state === undefined || row.request.state === search.state) && (search.kind === undefined || row.sort === search.kind));
  const go = (changed: { readonly show?: string | undefined; readonly state?: string | undefined; readonly kind?: string | undefined }) => {
    const next = Object.fromEntries(Object.entries({ show, state: search.state, kind: search.kind, ...changed }).filter(([, value]) => value !== undefined && value !== ANY));
    void navigate({ to: "/requests", search: next });
  };
  return (
    <Page title="Requests" about="What waits for somebody's word, and what became of it">
      <nav className="requests-shows" aria-label="Which requests">
        {SHOWS.map(([each, label]) => (
          <Link key={each} to="/requests" search={{ show: each }} className={each === show ? "requests-show is-on" : "requests-show"} aria-current={each === show ? "page" : undefined}>
            {label} <span className="requests-count">{asked.data === undefined ? "" : counts[each].toLocaleString("en")}</span>
          </Link>
        ))}
      </nav>
      <DataTable
        id="requests"
        label="Requests"
        columns={COLUMNS}
        rows={fitting}
        rowKey={(row) => row.request.id}
        href={(row) => `/requests/${row.request.id}`}
        isLoading={asked.isPending}
        error={asked.error}
        onRetry={() => void asked.refetch()}
        sort={sort}
        onSort={setSort}
        tools={
          <div className="requests-filters" role="group" aria-label="Filters">
            <Select size="xs" aria-label="Filter by kind" data={[{ value: ANY, label: "Any kind" }, ...Object.entries(SORTS).map(([value, label]) => ({ value, label }))]} value={search.kind ?? ANY} onChange={(kind) => go({ kind: kind ?? ANY })} />
            {show !== "for-me" && <Select size="xs" aria-label="Filter by state" data={[{ value: ANY, label: "Any state" }, ...STATES.map((state) => ({ value: state, label: stateOf({ state })[1] }))]} value={search.state ?? ANY} onChange={(state) => go({ state: state ?? ANY })} />}
          </div>
        }
        empty={<Nothing show={show} isFiltered={search.state !== undefined || search.kind !== undefined} mayDecide={mayDecide} />}
      />
    </Page>
  );
}

function shown(text: string | undefined, mayDecide: boolean): Show {
  return SHOWS.find(([each]) => each === text)?.[0] ?? (mayDecide ? "for-me" : "mine");
}

function isForMe(row: Row): boolean {
  return row.request.awaits_me;
}

function fits(row: Row, show: Show): boolean {
  return show === "all" || (show === "mine" ? row.request.own : isForMe(row));
}

function Nothing({ show, isFiltered, mayDecide }: { readonly show: Show; readonly isFiltered: boolean; readonly mayDecide: boolean }) {
  if (isFiltered) return <Empty icon="search" title="No request fits">Take a filter away.</Empty>;
  if (show === "for-me") {
    return (
      <Empty icon="check" title={mayDecide ? "Nothing waits for you" : "Your role decides about no requests"}>
        Certificates whose profile asks for a second person, devices that may not come in by themselves, spares, and changes that a policy holds back stand here
        for whoever may decide about them. Nobody decides about their own.
      </Empty>
    );
  }
  if (show === "mine") return <Empty icon="request" title="You have asked for nothing that needs somebody else">What you do and a policy or profile holds back stands here until others have agreed.</Empty>;
  return (
    <Empty icon="request" title="Nobody has asked for anything yet" command="ward policy create revocation --action revoke-certificate --needed 1 --hours 24">
      A profile with approvals, an endpoint where somebody approves, or a policy makes a request of what would be done at once otherwise.
    </Empty>
  );
}
