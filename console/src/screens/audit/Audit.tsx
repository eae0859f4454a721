// The log, the newest first: who did what to what, when, and how it ended. Every line is one leaf of the log's tree.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api } from "~/api/client";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { DataTable } from "~/parts/table/DataTable";
import { minute } from "~/text/time";
import { COLUMNS } from "./columns";
import { type EventsPage, FILTERS, type Filters, hasFilter, wanted } from "./events";
import { Filter } from "./Filter";
import "./audit.css";

const PAGE = 200;

export function Audit() {
  const search = useSearch({ from: "/shell/audit" });
  const filters: Filters = Object.fromEntries(FILTERS.map((name) => [name, search[name] ?? ""])) as Filters;
  const asOf = useAsOf();
  const navigate = useNavigate();
  const asked = wanted(filters, asOf);
  const pages = useInfiniteQuery({
    queryKey: ["audit", asked],
    queryFn: ({ pageParam, signal }) => api.get<EventsPage>("/api/v1/audit/events", { query: { ...asked, limit: PAGE, before: pageParam }, signal }),
    initialPageParam: Number.MAX_SAFE_INTEGER,
    getNextPageParam: (page) => page.next,
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.events) ?? [], [pages.data]);
  const first = pages.data?.pages[0];
  const go = (next: Partial<Filters>) => void navigate({ to: "/audit", search: Object.fromEntries(Object.entries(next).filter(([, value]) => value !== "")) });
  const looked = pages.data?.pages.reduce((sum, page) => sum + (page.looked_at ?? 0), 0) ?? 0;
  const isFiltered = hasFilter(filters);
  return (
    <Page title="Audit" about={first === undefined ? "Who did what, and the proof of it" : <About page={first} isPast={asOf !== undefined} />}>
      <Filter key={JSON.stringify(filters)} filters={filters} onFilter={go} />
      {pages.error !== null && rows.length === 0 ? (
        <ProblemPanel error={pages.error} onRetry={() => void pages.refetch()} />
      ) : (
        <DataTable
          id="audit"
          label="Events"
          columns={COLUMNS}
          rows={rows}
          rowKey={(row) => String(row.seq)}
          href={(row) => `/audit/${row.seq}`}
          isLoading={pages.isPending}
          hasMore={pages.hasNextPage}
          isLoadingMore={pages.isFetchingNextPage}
          onMore={() => void pages.fetchNextPage()}
          total={isFiltered || first === undefined ? undefined : first.size}
          tools={<button type="button" className="audit-again" onClick={() => void pages.refetch()} disabled={pages.isFetching}>{pages.isFetching ? "Reading…" : "Read anew"}</button>}
          empty={<Nothing began={first?.began} asOf={asOf} isFiltered={isFiltered} looked={looked} older={pages.hasNextPage} onOlder={() => void pages.fetchNextPage()} onAll={() => go({})} />}
        />
      )}
    </Page>
  );
}

function About({ page, isPast }: { readonly page: EventsPage; readonly isPast: boolean }) {
  if (page.began === undefined) return <>The log is empty.</>;
  return (
    <>
      {page.size.toLocaleString("en")} {page.size === 1 ? "event" : "events"}{isPast ? " until then" : ""}, from {minute(page.began)} on. Nothing in it can be changed without being noticed: open one to verify it.
    </>
  );
}

interface NothingProps {
  readonly began: number | undefined;
  readonly asOf: string | undefined;
  readonly isFiltered: boolean;
  readonly looked: number;
  readonly older: boolean;
  readonly onOlder: () => void;
  readonly onAll: () => void;
}

function Nothing({ began, asOf, isFiltered, looked, older, onOlder, onAll }: NothingProps) {
  if (began !== undefined && asOf !== undefined && Date.parse(asOf) < began) {
    return (
      <Empty icon="clock" title="The log had not begun">
        This Ward wrote its first event on {minute(began)}. Of {minute(Date.parse(asOf))} it has nothing to show, and says nothing: what happened before is in the records of
        whatever was used then.
      </Empty>
    );
  }
  if (isFiltered) {
    return (
      <Empty
        icon="search"
        title={older ? "Nothing yet" : "Nothing matches"}
        actions={older ? <button type="button" className="audit-again" onClick={onOlder}>Look further back</button> : <button type="button" className="audit-again" onClick={onAll}>Show all events</button>}
      >
        {looked.toLocaleString("en")} events were looked at. Every filter must hold: a person is found by part of their id, an action by its name or the word before the dot.
      </Empty>
    );
  }
  return (
    <Empty icon="audit" title="Nothing has happened yet" command="ward audit show">
      Every change, and everything that was refused, becomes one line here.
    </Empty>
  );
}
