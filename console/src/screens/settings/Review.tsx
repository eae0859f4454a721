// Who could do what on a date, and who did: for the quarterly look at everybody's rights (R37).
import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "~/api/client";
import { pastInstant, useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { minute } from "~/text/time";
import { PersonState } from "./People";
import { limitsText } from "./grant-text";
import type { ReviewAnswer } from "./types";

type Holder = ReviewAnswer["holders"][number];

const grantText = (grant: Holder["grants"][number]) => `${grant.role}${limitsText(grant.scope) === "" ? "" : ` where ${limitsText(grant.scope)}`} (${grant.through})`;
const unused = (holder: Holder) => holder.grants.filter((grant) => !grant.used);
const did = (holder: Holder) => Object.values(holder.done as Readonly<Record<string, number>>).reduce((sum, count) => sum + count, 0);

const COLUMNS: readonly Column<Holder>[] = [
  { id: "holder", header: "Holder", width: 160, grow: 1, lead: true, cell: (row) => <Name text={row.holder} mono line />, text: (row) => row.holder, compare: (a, b) => (a.holder < b.holder ? -1 : 1) },
  { id: "name", header: "Name", width: 150, grow: 1, cell: (row) => <Name text={row.name} line />, text: (row) => row.name ?? "" },
  { id: "kind", header: "Kind", width: 86, cell: (row) => row.kind, text: (row) => row.kind, compare: (a, b) => a.kind.localeCompare(b.kind, "en") },
  { id: "state", header: "State", width: 104, cell: (row) => (row.state ? <PersonState state={row.state} /> : <span className="quiet">—</span>), text: (row) => row.state ?? "" },
  { id: "grants", header: "Could, as", width: 240, grow: 3, cell: (row) => <Name text={row.grants.map(grantText).join("; ")} line none="nothing" />, text: (row) => row.grants.map(grantText).join("; ") },
  { id: "unused", header: "Not used", width: 110, cell: (row) => (unused(row).length === 0 ? <span className="quiet">all used</span> : <Status tone="medium">{unused(row).length} {unused(row).length === 1 ? "role" : "roles"}</Status>), text: (row) => unused(row).map(grantText).join("; "), compare: (a, b) => unused(b).length - unused(a).length },
  { id: "did", header: "Did", width: 76, align: "end", cell: (row) => did(row).toLocaleString("en"), text: (row) => String(did(row)), compare: (a, b) => did(a) - did(b) },
  { id: "refused", header: "Refused", width: 86, align: "end", cell: (row) => row.refused.toLocaleString("en"), text: (row) => String(row.refused), compare: (a, b) => a.refused - b.refused },
  { id: "last", header: "Last did", width: 130, cell: (row) => (row.last ? <Time at={row.last} as="relative" /> : <span className="quiet">nothing</span>), text: (row) => (row.last ? minute(row.last) : ""), compare: (a, b) => (a.last ?? 0) - (b.last ?? 0) },
  { id: "signed", header: "Last signed in", width: 130, hidden: true, cell: (row) => (row.last_sign_in ? <Time at={row.last_sign_in} as="relative" /> : <span className="quiet">did not</span>), text: (row) => (row.last_sign_in ? minute(row.last_sign_in) : "") },
  { id: "actions", header: "Actions", width: 240, hidden: true, cell: (row) => <Name text={row.actions.join(", ")} line />, text: (row) => row.actions.join(", ") },
];

export function Review() {
  const asOf = useAsOf();
  const [text, setText] = useState("");
  const [since, setSince] = useState<string>();
  const [sort, setSort] = useState("unused");
  const query = { as_of: asOf, until: asOf, since };
  const review = useQuery({ queryKey: ["access-review", query], queryFn: () => api.get<ReviewAnswer>("/api/v1/access-review", { query }) });
  const begin = /^\d{4}-\d{2}-\d{2}$/.test(text.trim()) ? `${text.trim()}T00:00:00Z` : pastInstant(text);
  return (
    <>
      <p className="settings-said">
        {review.data ? <>Who could do what at {minute(review.data.as_of)}, and who did since {minute(review.data.since)}. {!review.data.complete && <Status tone="medium">the span is longer than what was read</Status>}</> : "Who could do what, and who did."}
        {" "}The clock above asks for another date.
      </p>
      <DataTable
        id="review"
        label="Access review"
        columns={COLUMNS}
        rows={review.data?.holders ?? []}
        rowKey={(row) => `${row.kind} ${row.holder}`}
        isLoading={review.isPending}
        error={review.error}
        onRetry={() => void review.refetch()}
        sort={sort}
        onSort={setSort}
        exports={[{ label: "The whole review (CSV)", href: api.href("/api/v1/access-review", { query: { ...query, format: "csv" } }) }]}
        tools={
          <form className="row" onSubmit={(event: FormEvent) => { event.preventDefault(); setSince(begin); }}>
            <TextInput size="xs" aria-label="Use since" placeholder="use since 2026-10-01" maxLength={40} value={text} error={text !== "" && begin === undefined} onChange={(event) => setText(event.currentTarget.value)} />
            <Button type="submit" size="compact-sm" variant="default" disabled={text !== "" && begin === undefined}>Look</Button>
          </form>
        }
        empty={<Empty icon="person" title="Nobody could do anything then">On that date nobody was written down, and no token was in force.</Empty>}
      />
    </>
  );
}
