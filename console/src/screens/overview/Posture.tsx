import { Link } from "@tanstack/react-router";
import type { OverviewView } from "~/api/types";
import { Panel } from "~/parts/Panel";

/** The radar in short: a score, and eight bars that say their value. */
export function Posture({ posture }: { readonly posture: OverviewView["posture"] }) {
  return (
    <Panel title="How the house stands" actions={<Link to="/radar">Health radar</Link>}>
      <div className="posture">
        <p className="posture-score">
          <strong>{posture.score === null ? "—" : Math.round(posture.score)}</strong>
          <span className="quiet">{posture.score === null ? "nothing to judge yet" : "of 100"}</span>
        </p>
        <ul className="posture-axes">
          {posture.axes.map((axis) => (
            <li key={axis.id}>
              <span>{axis.title}</span>
              <span className="posture-track" aria-hidden="true">
                <span style={{ width: `${Math.max(0, Math.min(100, axis.value ?? 0))}%` }} />
              </span>
              <span className="number">{axis.value === null ? "—" : Math.round(axis.value)}</span>
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}
