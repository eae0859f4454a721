// The overview of whoever may see a part of the house: the figures are of the whole, so it is what ends in their part, as the
// inventory has it for them.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import { may } from "~/api/session";
import type { InventoryPage, Listed, Session } from "~/api/types";
import { useAsOf } from "~/app/as-of";
import { isOffered, SCREENS } from "~/app/nav";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { asked } from "../inventory/asked";
import { shortSubject } from "../inventory/subject";

const MOST = 12;

export function Part({ session }: { readonly session: Session }) {
  const screens = SCREENS.filter((screen) => screen.to !== "/" && isOffered(screen, session));
  return (
    <Page title="Overview" about="Of the part of the house that you are granted">
      {may(session, "read-inventory") && (
        <div className="overview-halves">
          <Ending title="What ends within 90 days" q="not expired and expires < 90d" nothing="Nothing in your part ends within 90 days" />
          <Ending title="Over for less than 90 days" q="expired and expires > -90d" nothing="Nothing in your part has ended within 90 days" />
        </div>
      )}
      <Panel title="Your part on other screens" note="Figures, heat map and radar are counted in the whole house">
        <ul className="overview-part">
          {screens.map((screen) => (
            <li key={screen.to}><Link to={screen.to}>{screen.label}</Link> <span className="quiet">{screen.about}</span></li>
          ))}
        </ul>
      </Panel>
    </Page>
  );
}

function Ending({ title, q, nothing }: { readonly title: string; readonly q: string; readonly nothing: string }) {
  const asOf = useAsOf();
  const query = asked({ q, view: undefined, sort: undefined, asOf });
  const page = useQuery({
    queryKey: ["inventory", "part", query],
    queryFn: ({ signal }) => api.get<InventoryPage>("/api/v1/inventory", { query: { ...query, limit: MOST }, signal }),
  });
  const rows = page.data?.certificates;
  return (
    <Panel title={title} actions={<Link to="/inventory" search={{ q }}>All of them</Link>} flush>
      {page.error && <ProblemPanel error={page.error} onRetry={() => void page.refetch()} />}
      {page.isPending && <p className="quiet overview-asking" role="status">Reading…</p>}
      {rows?.length === 0 && <Empty icon="check" title={nothing} />}
      {rows !== undefined && rows.length > 0 && <ul className="overview-needs">{rows.map((row) => <Row key={row.sha256} row={row} />)}</ul>}
    </Panel>
  );
}

function Row({ row }: { readonly row: Listed }) {
  return (
    <li>
      <Link to="/inventory/$sha256" params={{ sha256: row.sha256 }} className="overview-need">
        <Time at={row.expires * 1000} />
        <span className="overview-text"><Name text={shortSubject(row)} most={120} /></span>
        <span className="quiet small"><Name text={row.segment ?? row.owner ?? ""} most={40} /></span>
      </Link>
    </li>
  );
}
