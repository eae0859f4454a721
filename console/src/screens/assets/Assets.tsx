// Devices, servers, workstations and services: the register, searched by what stands on a label or in a name.
import { Button, Select } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useId, useMemo, useState } from "react";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { DataTable } from "~/parts/table/DataTable";
import { COLUMNS } from "./columns";
import { ScanDialog } from "./ScanDialog";
import type { AssetPage } from "./types";
import "./assets.css";

const PAGE = 500;
const ANY = "";

interface Wanted {
  readonly q?: string;
  readonly udi?: string;
  readonly kind?: string;
  readonly state?: string;
  readonly criticality?: string;
  readonly segment?: string;
}

export function Assets() {
  const wanted: Wanted = useSearch({ from: "/shell/assets" });
  const { q, ...rest } = wanted;
  const asOf = useAsOf();
  const navigate = useNavigate();
  const [isScanning, setScanning] = useState(false);
  const [sort, setSort] = useState<string>();
  const query = { contains: q, udi: rest.udi, kind: rest.kind, state: rest.state, criticality: rest.criticality, segment: rest.segment, as_of: asOf };
  const pages = useInfiniteQuery({
    queryKey: ["assets", "list", query],
    queryFn: ({ pageParam, signal }) => api.get<AssetPage>("/api/v1/assets", { query: { ...query, limit: PAGE, after: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((page) => page.assets) ?? [], [pages.data]);
  const change = (changed: { readonly [K in keyof Wanted]: Wanted[K] | undefined }) => {
    const next = Object.fromEntries(Object.entries({ ...wanted, ...changed }).filter(([, value]) => value !== undefined && value !== ANY));
    void navigate({ to: "/assets", search: next as Wanted });
  };
  return (
    <Page
      title="Assets"
      about="Devices and servers one by one, and what they hold"
      actions={<Button leftSection={<Icon name="scan" />} onClick={() => setScanning(true)}>Scan a label</Button>}
    >
      <Find key={q ?? ""} text={q ?? ""} onFind={(text) => change({ q: text, udi: undefined })} />
      {wanted.udi !== undefined && (
        <p className="assets-label">
          <span className="quiet">With the label</span> <Name text={wanted.udi} mono most={80} />
          <Button variant="default" size="compact-sm" onClick={() => change({ udi: undefined })}>Show all</Button>
        </p>
      )}
      <DataTable
        id="assets"
        label="Assets"
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => row.asset.id}
        href={(row) => `/assets/${row.asset.id}`}
        isLoading={pages.isPending}
        error={pages.error}
        onRetry={() => void pages.refetch()}
        hasMore={pages.hasNextPage}
        isLoadingMore={pages.isFetchingNextPage}
        onMore={() => void pages.fetchNextPage()}
        // The server's pages are by id: an order of its own is only true once everything is here.
        sort={pages.hasNextPage ? undefined : sort}
        {...(pages.hasNextPage ? {} : { onSort: setSort })}
        exports={asOf === undefined && rest.udi === undefined ? [{ label: "The whole list, as an import reads it (CSV)", href: api.href("/api/v1/assets/export", { query: { ...query } }) }] : []}
        tools={<Filters wanted={wanted} onChange={change} />}
        empty={<Nothing isSearch={Object.keys(wanted).some((key) => key !== "as_of")} isPast={asOf !== undefined} onAll={() => void navigate({ to: "/assets", search: {} })} />}
      />
      {isScanning && <ScanDialog onClose={() => setScanning(false)} />}
    </Page>
  );
}

function Find({ text, onFind }: { readonly text: string; readonly onFind: (text: string) => void }) {
  const [draft, setDraft] = useState(text);
  const id = useId();
  return (
    <form
      className="assets-find"
      role="search"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        onFind(draft.trim());
      }}
    >
      <label htmlFor={id} className="sr-only">Search the register</label>
      <div className="assets-field">
        <Icon name="search" />
        <input id={id} value={draft} placeholder="Serial number, model, name, owner, place" maxLength={200} spellCheck={false} autoComplete="off" onChange={(event) => setDraft(event.currentTarget.value)} />
        {draft !== "" && <button type="button" aria-label="Clear the search" onClick={() => onFind("")}><Icon name="close" size={12} /></button>}
      </div>
      <Button type="submit" variant="default">Search</Button>
    </form>
  );
}

const KINDS = ["device", "server", "workstation", "service"];
const STATES = ["active", "stored", "retired"];
const CRITICALITIES = ["life-support", "high", "medium", "low"];

function Filters({ wanted, onChange }: { readonly wanted: Wanted; readonly onChange: (changed: Wanted) => void }) {
  const maySegments = useMay("read-inventory");
  const segments = useQuery({
    queryKey: ["segments", "names"],
    queryFn: () => api.get<readonly { readonly segment?: { readonly name: string }; readonly name?: string }[]>("/api/v1/segments"),
    enabled: maySegments,
    staleTime: 60_000,
  });
  const known = segments.data?.map((each) => each.segment?.name ?? each.name).filter((name) => name !== undefined) ?? [];
  const names = wanted.segment !== undefined && !known.includes(wanted.segment) ? [...known, wanted.segment] : known;
  const filters: readonly (readonly [key: keyof Wanted, label: string, words: readonly string[]])[] = [
    ["kind", "Any kind", KINDS],
    ["state", "Any state", STATES],
    ["criticality", "Any criticality", CRITICALITIES],
    ["segment", "Any segment", names],
  ];
  return (
    <div className="assets-filters" role="group" aria-label="Filters">
      {filters.map(([key, label, words]) => (
        <Select
          key={key}
          size="xs"
          aria-label={label.replace("Any ", "Filter by ")}
          data={[{ value: ANY, label }, ...words.map((word) => ({ value: word, label: word }))]}
          value={wanted[key] ?? ANY}
          onChange={(value) => onChange({ [key]: value ?? ANY })}
          comboboxProps={{ width: 190, position: "bottom-start" }}
        />
      ))}
    </div>
  );
}

function Nothing({ isSearch, isPast, onAll }: { readonly isSearch: boolean; readonly isPast: boolean; readonly onAll: () => void }) {
  if (isSearch) {
    return (
      <Empty icon="search" title="Nothing in the register fits" actions={<Button variant="default" onClick={onAll}>Show all</Button>}>
        The search looks into serial number, UDI, manufacturer, model, names, owner and place. A part of a word is enough; every filter must hold.
      </Empty>
    );
  }
  if (isPast) return <Empty icon="clock" title="Nothing was in the register then">Choose a later instant, or go back to now.</Empty>;
  return (
    <Empty icon="asset" title="The register is empty" command="ward device import cmms.csv --dry-run">
      Devices come from the asset system as a table, once and then by reconciling; single ones are added by hand. A device that is not here gets no certificate.
    </Empty>
  );
}
