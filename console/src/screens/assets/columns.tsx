// The columns of the register. What is not shown at first is a choice away.
import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status, type Tone } from "~/parts/Status";
import { Time } from "~/parts/Time";
import type { Column } from "~/parts/table/types";
import { day } from "~/text/time";
import { type AssetRecord, modelOf, type StoredAsset, titleOf } from "./types";

type Row = StoredAsset;

const STATES: Readonly<Record<string, Tone>> = { active: "ok", stored: "low", retired: "none" };
const WEIGHTS: Readonly<Record<string, Tone>> = { "life-support": "critical", high: "high", medium: "medium", low: "low" };

export function StateOf({ state }: { readonly state: string }) {
  return <Status tone={STATES[state] ?? "none"}>{state}</Status>;
}

export function CriticalityOf({ value }: { readonly value: string }) {
  return <Status tone={WEIGHTS[value] ?? "none"}>{value}</Status>;
}

/** Heaviest first. */
const ORDER = ["life-support", "high", "medium", "low"];

function text(id: string, header: string, width: number, of: (asset: AssetRecord) => string | undefined, more: Partial<Column<Row>> = {}): Column<Row> {
  const value = (row: Row) => of(row.asset) ?? "";
  return {
    id, header, width,
    cell: (row) => <Name text={value(row)} line />,
    text: value,
    compare: (a, b) => value(a).localeCompare(value(b), "en", { numeric: true }),
    ...more,
  };
}

export const COLUMNS: readonly Column<Row>[] = [
  text("serial", "Serial number", 150, titleOf, {
    grow: 1,
    lead: true,
    cell: (row) => (
      <Link to="/assets/$id" params={{ id: row.asset.id }} className="assets-serial" tabIndex={-1}>
        <Name text={titleOf(row.asset)} line />
      </Link>
    ),
  }),
  text("model", "Device", 180, modelOf, { grow: 2 }),
  text("kind", "Kind", 100, (asset) => asset.kind),
  text("state", "State", 104, (asset) => asset.state, { cell: (row) => <StateOf state={row.asset.state} /> }),
  text("criticality", "Criticality", 122, (asset) => asset.criticality, {
    cell: (row) => <CriticalityOf value={row.asset.criticality} />,
    compare: (a, b) => ORDER.indexOf(a.asset.criticality) - ORDER.indexOf(b.asset.criticality),
  }),
  text("owner", "Owner", 110, (asset) => asset.owner, {
    grow: 1,
    cell: (row) => (row.asset.owner === undefined ? <Status tone="medium">nobody</Status> : <Name text={row.asset.owner} line />),
  }),
  text("segment", "Segment", 120, (asset) => asset.segment, { grow: 1 }),
  text("department", "Department", 110, (asset) => asset.department, { grow: 1 }),
  text("phi", "PHI", 64, (asset) => (asset.phi ? "yes" : "no"), { cell: (row) => (row.asset.phi ? "PHI" : <span className="quiet">no</span>) }),
  text("renewal", "Renewal", 98, (asset) => asset.renewal),
  text("site", "Site", 130, (asset) => asset.site, { hidden: true }),
  text("host", "Names", 240, (asset) => asset.host_names?.join(", "), { hidden: true, grow: 2 }),
  text("udi", "UDI", 260, (asset) => asset.udi, { hidden: true, grow: 1, cell: (row) => <Name text={row.asset.udi} mono line /> }),
  text("source", "Asset system", 120, (asset) => asset.source, { hidden: true }),
  text("vendor", "Serviced by", 140, (asset) => asset.vendor, { hidden: true }),
  {
    id: "service-life", header: "Service life ends", width: 130, hidden: true,
    cell: ({ asset }) => (asset.service_life_ends === undefined ? <span className="quiet">—</span> : <Time at={asset.service_life_ends * 1000} />),
    text: ({ asset }) => (asset.service_life_ends === undefined ? "" : day(asset.service_life_ends * 1000)),
    compare: (a, b) => (a.asset.service_life_ends ?? Infinity) - (b.asset.service_life_ends ?? Infinity),
  },
  { id: "since", header: "Changed", width: 110, hidden: true, cell: (row) => <Time at={row.since} />, text: (row) => day(row.since), compare: (a, b) => a.since - b.since },
];
