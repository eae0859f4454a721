// The columns of the log.
import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status, type Tone } from "~/parts/Status";
import type { Column } from "~/parts/table/types";
import type { LogEvent } from "./events";

const TONES: Readonly<Record<string, Tone>> = { done: "ok", refused: "high", failed: "critical" };

export function Outcome({ value }: { readonly value: string }) {
  return <Status tone={TONES[value] ?? "none"}>{value}</Status>;
}

/** To the second, as the log has it; the day is not repeated where the space is short. */
function when(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)}`;
}

export const COLUMNS: readonly Column<LogEvent>[] = [
  { id: "seq", header: "Number", width: 84, align: "end", cell: (row) => <span className="quiet">{row.seq.toLocaleString("en")}</span>, text: (row) => String(row.seq) },
  { id: "time", header: "When (UTC)", width: 178, cell: (row) => <time dateTime={row.time} title={row.time} className="nowrap">{when(row.time)}</time>, text: (row) => row.time },
  {
    id: "action",
    header: "What",
    width: 190,
    grow: 1,
    lead: true,
    cell: (row) => <Link to="/audit/$seq" params={{ seq: String(row.seq) }} className="audit-action" tabIndex={-1}><Name text={row.action} line /></Link>,
    text: (row) => row.action,
  },
  { id: "object", header: "To what", width: 240, grow: 2, cell: (row) => <span className="audit-object"><span className="quiet">{row.object.kind}</span> <Name text={row.object.id} mono line /></span>, text: (row) => `${row.object.kind} ${row.object.id}` },
  { id: "actor", header: "Who", width: 190, grow: 2, cell: (row) => <Name text={row.actor.id} line />, text: (row) => row.actor.id },
  { id: "role", header: "As", width: 110, cell: (row) => <Name text={row.actor.role ?? row.actor.kind} line />, text: (row) => row.actor.role ?? row.actor.kind },
  { id: "outcome", header: "Outcome", width: 100, cell: (row) => <Outcome value={row.outcome} />, text: (row) => row.outcome },
  { id: "why", header: "Why", width: 220, grow: 2, hidden: true, cell: (row) => <Name text={row.why} line />, text: (row) => row.why ?? "" },
  { id: "request", header: "Request", width: 160, hidden: true, cell: (row) => <Name text={row.request} mono line />, text: (row) => row.request ?? "" },
  { id: "digest", header: "SHA-256", width: 220, hidden: true, cell: (row) => <Name text={row.digest} mono line />, text: (row) => row.digest ?? "" },
];
