// One axis explained: what it asks, the shares that it is made of, and what pulls it down, each with the list behind it.
import { Link } from "@tanstack/react-router";
import { Panel } from "~/parts/Panel";
import { type Axis, question, shown } from "./whatif";

interface AxisPanelProps {
  readonly axis: Axis;
  readonly now: number | undefined;
  readonly then: number | undefined;
}

export function AxisPanel({ axis, now, then }: AxisPanelProps) {
  const [asks, reference] = question(axis.what);
  const isMoved = shown(now) !== shown(then);
  return (
    <Panel
      title={axis.title}
      note={`weight ${axis.weight}`}
      actions={
        <span className="axis-value">
          <strong>{shown(now)}</strong>
          {isMoved && <span className="axis-then"><span aria-hidden="true"> → </span><span className="sr-only">, with the levers </span>{shown(then)}</span>}
          <span className="quiet small"> of 100</span>
        </span>
      }
    >
      <div className="stack">
        <p>{asks} <span className="quiet small">{reference}</span></p>
        <ul className="axis-parts">
          {axis.parts.map((part) => {
            const { have, of } = part.share;
            return (
              <li key={part.id} title={`${part.limit}; weight ${part.weight}`}>
                <span>{part.title}</span>
                <span className="axis-track" aria-hidden="true">{of > 0 && <span style={{ width: `${(100 * have) / of}%` }} />}</span>
                <span className="number small nowrap">{of === 0 ? "none to judge" : `${have.toLocaleString("en")} of ${of.toLocaleString("en")}`}</span>
              </li>
            );
          })}
        </ul>
        <Pulls axis={axis} />
      </div>
    </Panel>
  );
}

function Pulls({ axis }: { readonly axis: Axis }) {
  if (axis.pulls.length === 0) return <p className="quiet small">{axis.value === null ? "There is nothing to judge yet." : "Nothing pulls it down."}</p>;
  return (
    <div>
      <h3 className="axis-pulls-head">What pulls it down</h3>
      <ul className="axis-pulls">
        {axis.pulls.map((pull) => (
          <li key={`${pull.rule ?? ""} ${pull.text}`}>
            <Link to={pull.link.path} search={pull.link.search as never}>{pull.text}</Link>
            <span className="number nowrap">{pull.count.toLocaleString("en")}{pull.waived > 0 && <span className="quiet small">, {pull.waived.toLocaleString("en")} waived</span>}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
