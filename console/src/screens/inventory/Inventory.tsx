// Every certificate in the house: one search, one table.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { api } from "~/api/client";
import { mayWhole, useSession } from "~/api/session";
import { searchColumn, ApiProblem } from "~/api/problem";
import type { InventoryPage } from "~/api/types";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import { Bulk } from "./Bulk";
import { columnsAsOf } from "./columns";
import { Query } from "./Query";
import { SaveView, useViews, Views } from "./Views";
import { asked } from "./asked";
import "./inventory.css";

const PAGE = 200;

export function Inventory() {
  const { q = "", view, sort } = useSearch({ from: "/shell/inventory" });
  const asOf = useAsOf();
  const isWhole = mayWhole(useSession());
  const navigate = useNavigate();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const views = useViews();
  const viewQuery = views.data?.find((each) => each.name === view)?.query;
  const query = asked({ q, view, sort, asOf, viewQuery });
  const pages = useInfiniteQuery({
    queryKey: ["inventory", query],
    queryFn: ({ pageParam, signal }) => api.get<InventoryPage>("/api/v1/inventory", { query: { ...query, limit: PAGE, after: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.certificates) ?? [], [pages.data]);
  const first = pages.data?.pages[0];
  const columns = useMemo(() => columnsAsOf(asOf), [asOf]);
  const go = (search: { q?: string; view?: string; sort?: string }) => {
    setChosen(new Set());
    void navigate({ to: "/inventory", search });
  };
  const problem = pages.error instanceof ApiProblem ? pages.error : undefined;
  return (
    <Page
      title={view ? `Inventory: ${view}` : "Inventory"}
      about={view && first?.looked_at ? <>As the view was worked out <Time at={first.looked_at} as="relative" /></> : `Every certificate in ${isWhole ? "the house" : "your part of the house"}, whoever issued it`}
      actions={asOf === undefined ? <SaveView q={q} sort={sort} isView={view !== undefined} /> : undefined}
    >
      <Query key={`${q} ${view ?? ""}`} text={q} view={view} mistake={problem === undefined ? undefined : searchColumn(problem)} onSearch={(text) => go(text === "" ? {} : { q: text })} />
      {asOf !== undefined && <p className="quiet">Which certificates were known and their state are of then; owner, segment, risk, findings and places are of now.</p>}
      {problem !== undefined && <ProblemPanel error={problem} onRetry={() => void pages.refetch()} />}
      {problem === undefined && (
        <DataTable
          id="inventory"
          label="Certificates"
          columns={columns}
          rows={rows}
          rowKey={(row) => row.sha256}
          href={(row) => `/inventory/${row.sha256}`}
          isLoading={pages.isPending}
          error={pages.error}
          onRetry={() => void pages.refetch()}
          hasMore={pages.hasNextPage}
          isLoadingMore={pages.isFetchingNextPage}
          onMore={() => void pages.fetchNextPage()}
          total={first?.members}
          sort={view ? undefined : (sort ?? "expires")}
          onSort={(next) => go({ ...(q === "" ? {} : { q }), ...(view === undefined ? {} : { view }), sort: next })}
          selection={{ chosen, change: setChosen }}
          bulk={
            <Bulk
              rows={rows.filter((row) => chosen.has(row.sha256))}
              search={(view === undefined ? q : viewQuery) || undefined}
              canWiden={pages.hasNextPage && chosen.size === rows.length}
              isPast={asOf !== undefined}
              onDone={() => setChosen(new Set())}
            />
          }
          exports={(["csv", "xlsx", "json"] as const).map((format) => ({
            label: `The whole list, every column (${format.toUpperCase()})`,
            href: api.href("/api/v1/inventory/export", { query: { ...query, format } }),
          }))}
          tools={<Views current={view} onChoose={(name) => go({ view: name })} onSearch={(text) => go({ q: text })} />}
          empty={<Nothing isSearch={q !== "" || view !== undefined} onAll={() => go({})} />}
        />
      )}
    </Page>
  );
}

function Nothing({ isSearch, onAll }: { readonly isSearch: boolean; readonly onAll: () => void }) {
  if (isSearch) {
    return (
      <Empty icon="search" title="Nothing matches" actions={<button type="button" className="inventory-all" onClick={onAll}>Show all certificates</button>}>
        Every test of a search must hold. Take one away, or look at the help beside the search for what a field holds.
      </Empty>
    );
  }
  return (
    <Empty icon="inventory" title="No certificate is known yet" command="ward discover import export.csv">
      They come from scans, from agents in segments, from files and tables of other tools, and from Ward itself as it issues. A scan needs a
      segment with limits that a second person has signed.
    </Empty>
  );
}
