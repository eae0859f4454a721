import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import type { Column } from "~/parts/table/types";
import { minute } from "~/text/time";
import { askerOf, OPEN, type Registration, type Request, SORTS, type Sort, sortOf, stateOf, titleOf } from "./types";

export interface Row {
  readonly request: Request;
  readonly sort: Sort;
  readonly asker: string;
}

export function rowsOf(requests: readonly Request[], devices: ReadonlyMap<string, Registration>): readonly Row[] {
  return requests.map((request) => ({ request, sort: sortOf(request, devices), asker: askerOf(request, devices.get(request.id)) }));
}

const byText = (of: (row: Row) => string) => (a: Row, b: Row) => of(a).localeCompare(of(b), "en", { numeric: true });

export const COLUMNS: readonly Column<Row>[] = [
  {
    id: "what", header: "What is asked", width: 300, grow: 4, lead: true,
    cell: ({ request }) => (
      <Link to="/requests/$id" params={{ id: request.id }} className="requests-what" tabIndex={-1}>
        <Name text={titleOf(request)} line />
      </Link>
    ),
    text: ({ request }) => titleOf(request),
    compare: byText(({ request }) => titleOf(request)),
  },
  { id: "kind", header: "Kind", width: 104, cell: ({ sort }) => SORTS[sort], text: ({ sort }) => SORTS[sort], compare: byText(({ sort }) => sort) },
  {
    id: "state", header: "State", width: 130,
    cell: ({ request }) => {
      const [tone, text] = stateOf(request);
      return <Status tone={tone}>{text}</Status>;
    },
    text: ({ request }) => request.state,
    compare: byText(({ request }) => request.state),
  },
  { id: "by", header: "Asked by", width: 150, grow: 1, cell: ({ asker }) => <Name text={asker} line />, text: ({ asker }) => asker, compare: byText(({ asker }) => asker) },
  { id: "profile", header: "Profile", width: 140, grow: 1, cell: ({ request }) => <Name text={request.profile} line />, text: ({ request }) => request.profile, compare: byText(({ request }) => request.profile) },
  { id: "agreed", header: "Agreed", width: 92, align: "end", cell: ({ request }) => `${request.approvals} of ${request.needed}`, text: ({ request }) => `${request.approvals} of ${request.needed}`, compare: (a, b) => a.request.approvals - b.request.approvals },
  { id: "asked", header: "Asked", width: 130, cell: ({ request }) => <Time at={request.created} as="relative" />, text: ({ request }) => minute(request.created), compare: (a, b) => a.request.created - b.request.created },
  {
    id: "lapses", header: "Lapses", width: 120,
    cell: ({ request }) => (OPEN.has(request.state) ? <Time at={request.expires} as="relative" /> : <span className="quiet">—</span>),
    text: ({ request }) => minute(request.expires),
    compare: (a, b) => a.request.expires - b.request.expires,
  },
  { id: "id", header: "Request", width: 170, hidden: true, cell: ({ request }) => <Name text={request.id} mono line />, text: ({ request }) => request.id },
];
