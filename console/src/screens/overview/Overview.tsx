// What needs me today; what comes in eighteen months; where; how the house stands.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import { mayWhole, useSession } from "~/api/session";
import type { OverviewView } from "~/api/types";
import { useAsOf } from "~/app/as-of";
import { Page } from "~/parts/Page";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { Heat } from "./Heat";
import { Horizon } from "./Horizon";
import { Part } from "./Part";
import { Posture } from "./Posture";
import { Today } from "./Today";
import { lastVisit } from "./visit";
import "./overview.css";

export function Overview() {
  const session = useSession();
  return session !== undefined && !mayWhole(session) ? <Part session={session} /> : <Whole />;
}

function Whole() {
  const asOf = useAsOf();
  const session = useSession();
  const overview = useQuery({
    queryKey: ["overview", asOf],
    queryFn: ({ signal }) => {
      const since = asOf === undefined && session !== undefined ? lastVisit(session.person.id, session.since) : undefined;
      return api.get<OverviewView>("/api/v1/overview", { query: { as_of: asOf, since }, signal });
    },
  });
  const seen = overview.data;
  return (
    <Page title="Overview" about={seen ? <>Counted <Time at={Date.parse(seen.counted_at)} as="minute" /></> : "Counting…"}>
      {overview.error && <ProblemPanel error={overview.error} onRetry={() => void overview.refetch()} />}
      {seen && (
        <>
          <Figures counts={seen.certificates} />
          <div className="overview-top">
            <Panel title="What needs me today" flush>
              <Today needs={seen.today} isPast={asOf !== undefined} />
            </Panel>
            <Posture posture={seen.posture} />
          </div>
          <Panel title="What ends in the next eighteen months" note={`${seen.horizon.later.toLocaleString("en")} end later`}>
            <Horizon horizon={seen.horizon} />
          </Panel>
          <Panel title="Where it ends, week by week" note="The next 26 weeks by segment" flush>
            <Heat heat={seen.heat} />
          </Panel>
        </>
      )}
      {overview.isPending && <Skeleton />}
    </Page>
  );
}

/** Counts that are a search each. */
const FIGURES: readonly (readonly [field: string, label: string, q: string])[] = [
  ["standing", "in force", "not expired and not revoked"],
  ["near", "end within 30 days", "not expired and expires < 30d"],
  ["over_served", "expired or revoked, still shown", "expired and places > 0"],
  ["risk_critical", "critical", "risk = critical"],
  ["phi", "protect health information", "phi"],
];

function Figures({ counts }: { readonly counts: Readonly<Record<string, number>> }) {
  return (
    <ul className="overview-figures">
      {FIGURES.map(([field, label, q]) => (
        <li key={field}>
          <Link to="/inventory" search={{ q }}>
            <strong>{(counts[field] ?? 0).toLocaleString("en")}</strong>
            <span>{label}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Skeleton() {
  return (
    <div className="overview-top" aria-hidden="true">
      <div className="overview-ghost" />
      <div className="overview-ghost" />
    </div>
  );
}
