// The columns of the inventory. What is not shown at first is a choice away.
import { Link } from "@tanstack/react-router";
import type { Listed } from "~/api/types";
import { instantOf } from "~/app/as-of";
import { Name } from "~/parts/Name";
import { Status, Weight } from "~/parts/Status";
import { Time } from "~/parts/Time";
import type { Column } from "~/parts/table/types";
import { day, daysLeft, relative } from "~/text/time";
import { shortSubject } from "./subject";

/** Its state at that instant, Unix milliseconds. */
function Ends({ row, then }: { readonly row: Listed; readonly then: number }) {
  const at = row.expires * 1000;
  if (row.revoked !== null) return <Status tone="none">revoked</Status>;
  const left = daysLeft(at, then);
  if (left < 0) return <Status tone="critical">expired</Status>;
  if (left < 30) return <Status tone="high">{left} days</Status>;
  if (left < 90) return <Status tone="medium">{left} days</Status>;
  return <span className="quiet nowrap">{relative(at, then)}</span>;
}

function text(id: string, header: string, width: number, of: (row: Listed) => string | null, more: Partial<Column<Listed>> = {}): Column<Listed> {
  return { id, header, width, cell: (row) => <Name text={of(row)} line />, text: (row) => of(row) ?? "", ...more };
}

const SUBJECT: Column<Listed> = {
  id: "subject",
  header: "Certificate",
  width: 240,
  grow: 3,
  lead: true,
  cell: (row) => (
    <Link to="/inventory/$sha256" params={{ sha256: row.sha256 }} className="inventory-subject" tabIndex={-1}>
      <Name text={shortSubject(row)} line />
    </Link>
  ),
  text: (row) => row.subject,
};

const REST: readonly Column<Listed>[] = [
  { id: "expires", header: "Expires", width: 104, sort: "expires", order: "ascending", cell: (row) => <Time at={row.expires * 1000} />, text: (row) => day(row.expires * 1000) },
  { id: "risk", header: "Risk", width: 100, sort: "risk", order: "descending", cell: (row) => <Weight value={row.risk} />, text: (row) => row.risk },
  text("owner", "Owner", 120, (row) => row.owner, { grow: 1, cell: (row) => (row.owner === null ? <Status tone="medium">nobody</Status> : <Name text={row.owner} line />) }),
  text("segment", "Segment", 110, (row) => row.segment, { grow: 1 }),
  { id: "findings", header: "Findings", width: 98, align: "end", sort: "findings", order: "descending", cell: (row) => (row.findings === 0 ? <span className="quiet">0</span> : row.findings), text: (row) => String(row.findings) },
  { id: "places", header: "Places", width: 86, align: "end", sort: "places", order: "descending", cell: (row) => (row.places === 0 ? <span className="quiet">0</span> : row.places), text: (row) => String(row.places) },
  { id: "phi", header: "PHI", width: 60, cell: (row) => (row.phi ? "PHI" : <span className="quiet">no</span>), text: (row) => (row.phi ? "yes" : "no") },
  text("key", "Key", 96, (row) => row.key),
  text("issuer", "Issuer", 220, (row) => row.issuer, { hidden: true, grow: 2 }),
  text("names", "Names", 220, (row) => row.names.join(", ") || null, { hidden: true, grow: 2 }),
  text("site", "Site", 110, (row) => row.site, { hidden: true }),
  text("asset", "Asset", 130, (row) => row.asset, { hidden: true }),
  text("vendor", "Vendor", 130, (row) => row.vendor, { hidden: true }),
  text("environment", "Environment", 110, (row) => row.environment, { hidden: true }),
  { ...text("criticality", "Criticality", 110, (row) => row.criticality, { hidden: true }), sort: "criticality", order: "descending" },
  text("authority", "Issued by", 120, (row) => row.authority, { hidden: true }),
  text("signature", "Signature", 150, (row) => row.signature, { hidden: true }),
  text("tags", "Tags", 150, (row) => row.tags.join(", ") || null, { hidden: true }),
  { id: "starts", header: "Begins", width: 104, hidden: true, sort: "starts", order: "descending", cell: (row) => <Time at={row.starts * 1000} />, text: (row) => day(row.starts * 1000) },
  { id: "first-seen", header: "Found", width: 104, hidden: true, sort: "first-seen", order: "descending", cell: (row) => <Time at={row.first_seen} />, text: (row) => day(row.first_seen) },
  { id: "last-seen", header: "Last seen", width: 104, hidden: true, sort: "last-seen", order: "descending", cell: (row) => <Time at={row.last_seen} />, text: (row) => day(row.last_seen) },
  { ...text("serial", "Serial number", 220, (row) => row.serial, { hidden: true }), cell: (row) => <Name text={row.serial} mono line /> },
  { ...text("sha256", "SHA-256", 240, (row) => row.sha256, { hidden: true }), cell: (row) => <Name text={row.sha256} mono line /> },
];

/** As of an instant of the past (RFC 3339) or of now. */
export function columnsAsOf(asOf: string | undefined): readonly Column<Listed>[] {
  const then = () => instantOf(asOf);
  const state: Column<Listed> = {
    id: "ends",
    header: "State",
    width: 104,
    cell: (row) => <Ends row={row} then={then()} />,
    text: (row) => (row.revoked !== null ? "revoked" : `${daysLeft(row.expires * 1000, then())} days`),
  };
  return [SUBJECT, state, ...REST];
}
