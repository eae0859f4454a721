// Eighteen months of ends. What somebody has to renew by hand is solid, what renews by itself is hatched: the shape says it,
// not the colour.
import { Link } from "@tanstack/react-router";
import type { OverviewView } from "~/api/types";
import { StatusShape } from "~/parts/Status";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function Horizon({ horizon }: { readonly horizon: OverviewView["horizon"] }) {
  const most = Math.max(1, ...horizon.months.map((month) => month.all));
  return (
    <div className="horizon">
      {horizon.over > 0 && (
        <p className="horizon-over">
          <StatusShape tone="critical" />
          <Link to="/inventory" search={{ q: "expired and places > 0" }}>
            {horizon.over.toLocaleString("en")} are over already, and still shown or lying somewhere
          </Link>
        </p>
      )}
      <ol className="horizon-months">
        {horizon.months.map((month) => {
          const [year = "", number = "1"] = month.month.split("-");
          const name = MONTHS[Number(number) - 1] ?? number;
          const byHand = Math.max(0, month.all - month.automated);
          const more = `${byHand} renewed by hand, ${month.phi} protect health information`;
          return (
            <li key={month.month}>
              <Link to={month.link.path} search={month.link.search as never} title={`${name} ${year}: ${month.all} end, ${more}`}>
                <span className="horizon-count">{month.all === 0 ? "" : month.all.toLocaleString("en")}</span>
                <span className="horizon-bar">
                  <span className="horizon-auto" style={{ height: `${(month.automated / most) * 100}%` }} />
                  <span className="horizon-hand" style={{ height: `${(byHand / most) * 100}%` }} />
                </span>
                <span className="horizon-name">{name}</span>
                <span className="horizon-year">{name === "Jan" || month === horizon.months[0] ? year : "\u00a0"}</span>
                <span className="sr-only">: {month.all} end, {more}</span>
              </Link>
            </li>
          );
        })}
      </ol>
      <p className="horizon-legend small">
        <span><i className="horizon-hand" /> somebody has to renew it</span>
        <span><i className="horizon-auto" /> renews by itself</span>
      </p>
    </div>
  );
}
