import { Link } from "@tanstack/react-router";
import type { OverviewView } from "~/api/types";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Weight } from "~/parts/Status";

interface TodayProps {
  readonly needs: OverviewView["today"];
  readonly isPast: boolean;
}

/** What I can do something about stands before what I should know. */
export function Today({ needs, isPast }: TodayProps) {
  if (isPast) return <Empty icon="clock" title="What needed somebody on a past day is not kept">The audit log has what was done.</Empty>;
  if (needs.length === 0) {
    return (
      <Empty icon="check" title="Nothing needs you today">
        Requests, incidents, certificates near their end and new findings stand here once there are any.
      </Empty>
    );
  }
  const mine = needs.filter((need) => need.mine);
  const others = needs.filter((need) => !need.mine);
  return (
    <>
      <Needs needs={mine} />
      {others.length > 0 && <h3 className="overview-others">Also in the house</h3>}
      <Needs needs={others} />
    </>
  );
}

function Needs({ needs }: { readonly needs: OverviewView["today"] }) {
  return (
    <ul className="overview-needs">
      {needs.map((need) => (
        <li key={need.id}>
          <Link to={need.link.path} search={need.link.search as never} className="overview-need">
            <span className="overview-weight"><Weight value={need.severity} /></span>
            <span className="overview-text"><Name text={need.text} /></span>
            <span className="overview-count">{need.count.toLocaleString("en")}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
