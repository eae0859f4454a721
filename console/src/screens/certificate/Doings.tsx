// What was done to a certificate, by whom and why, as the log has it.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import type { Shown } from "~/api/types";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { Outcome } from "../audit/columns";
import type { EventsPage, LogEvent } from "../audit/events";
import { details, merged, stretches } from "./doings";

export function Doings({ certificate, asOf }: { readonly certificate: Shown; readonly asOf: string | undefined }) {
  const found = useQuery({
    queryKey: ["certificate", certificate.sha256, "log", asOf],
    queryFn: async ({ signal }) => {
      const now = asOf === undefined ? Date.now() : Date.parse(asOf);
      const asked = stretches(certificate, now).map((stretch) =>
        api.get<EventsPage>("/api/v1/audit/events", { query: { ...stretch, as_of: asOf, limit: 100 }, signal }));
      const pages = await Promise.all(asked);
      return { events: merged(pages), isWhole: pages.slice(0, 2).every((page) => page.next === undefined) };
    },
  });
  if (found.error) return <ProblemPanel error={found.error} compact onRetry={() => void found.refetch()} />;
  if (found.data === undefined) return <p className="certificate-none" role="status">Reading the log…</p>;
  const { events, isWhole } = found.data;
  return (
    <>
      {events.length === 0 && <p className="certificate-none">The log has nothing about it.</p>}
      <ol className="certificate-list">{events.map((event) => <Doing key={event.seq} event={event} />)}</ol>
      {!isWhole && (
        <p className="certificate-none">
          The newest events were looked at, and those around its issuance and revocation. <Link to="/audit" search={{ object: certificate.serial }}>Look for others in the log</Link>
        </p>
      )}
    </>
  );
}

function Doing({ event }: { readonly event: LogEvent }) {
  return (
    <li>
      <span className="nowrap"><Time at={Date.parse(event.time)} as="minute" /></span>
      <span>
        <Link to="/audit/$seq" params={{ seq: String(event.seq) }}><Name text={event.action} /></Link> <span className="quiet">by</span> <Name text={event.actor.id} />
        {details(event).map((line) => <span key={line} className="certificate-detail"><Name text={line} most={300} /></span>)}
      </span>
      {event.outcome === "done" ? <span /> : <Outcome value={event.outcome} />}
    </li>
  );
}
