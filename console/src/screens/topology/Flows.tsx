// Who gives health information to whom: systems stand in a ring, flows are lines between them. What lacks protection is
// drawn broken and named; the table beside the drawing has every flow with what is missing.
import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { TableBox } from "~/parts/table/TableBox";
import { visibleText } from "~/text/visible";
import { type Edge, state } from "./nodes";

const [WIDTH, HEIGHT] = [720, 420];
/** More lines than this are a ball of wool: the table has the rest. */
const DRAWN = 40;

interface FlowsProps {
  readonly edges: readonly Edge[];
  readonly chosen: string | undefined;
}

function place(at: number, of: number): readonly [x: number, y: number] {
  const angle = (2 * Math.PI * at) / of - Math.PI / 2;
  return [WIDTH / 2 + 215 * Math.cos(angle), HEIGHT / 2 + 160 * Math.sin(angle)];
}

export function Drawing({ edges, chosen }: FlowsProps) {
  const drawn = edges.slice(0, DRAWN);
  const systems = [...new Set(drawn.flatMap((edge) => [edge.from, edge.to]))];
  const at = new Map(systems.map((name, index) => [name, place(index, systems.length)]));
  return (
    <figure>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="flows-drawing" role="img" aria-label={`${drawn.length} flows between ${systems.length} systems; the table has each of them`}>
        <defs>
          {(["lacks", "protected", "other"] as const).map((kind) => (
            <marker key={kind} id={`flow-${kind}`} viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" className={`flow-head flow-${kind}`} /></marker>
          ))}
        </defs>
        {drawn.map((edge) => <Line key={edge.name} edge={edge} from={at.get(edge.from)} to={at.get(edge.to)} isChosen={edge.name === chosen} />)}
        {systems.map((name) => {
          const [x, y] = at.get(name) ?? [0, 0];
          const anchor = Math.abs(x - WIDTH / 2) < 20 ? "middle" : x < WIDTH / 2 ? "end" : "start";
          const beside = anchor === "middle" ? 0 : anchor === "end" ? -12 : 12;
          return (
            <g key={name}>
              <circle cx={x} cy={y} r={6} className="flow-system" />
              <text x={x + beside} y={anchor === "middle" ? (y < HEIGHT / 2 ? y - 13 : y + 24) : y + 4} textAnchor={anchor} className="flow-name">{visibleText(name, 22)}</text>
            </g>
          );
        })}
      </svg>
      <figcaption className="flows-legend small">
        <span><svg width="26" height="10" aria-hidden="true"><line x1="1" y1="5" x2="25" y2="5" className="flow-line flow-protected" /></svg> protected</span>
        <span><svg width="26" height="10" aria-hidden="true"><line x1="1" y1="5" x2="25" y2="5" className="flow-line flow-lacks" /></svg> lacks something</span>
        <span><svg width="26" height="10" aria-hidden="true"><line x1="1" y1="5" x2="25" y2="5" className="flow-line flow-other" /></svg> no certificate known</span>
        {edges.length > DRAWN && <span>{edges.length - DRAWN} more are in the table only</span>}
      </figcaption>
    </figure>
  );
}

interface LineProps {
  readonly edge: Edge;
  readonly from: readonly [number, number] | undefined;
  readonly to: readonly [number, number] | undefined;
  readonly isChosen: boolean;
}

/** A line that is bent towards the middle, and ends before the system's mark. */
function Line({ edge, from, to, isChosen }: LineProps) {
  if (from === undefined || to === undefined) return null;
  const middle = [(from[0] + to[0]) / 2 + (WIDTH / 2 - (from[0] + to[0]) / 2) * 0.3, (from[1] + to[1]) / 2 + (HEIGHT / 2 - (from[1] + to[1]) / 2) * 0.3] as const;
  const far = Math.hypot(to[0] - middle[0], to[1] - middle[1]) || 1;
  const end = [to[0] - ((to[0] - middle[0]) / far) * 9, to[1] - ((to[1] - middle[1]) / far) * 9] as const;
  const kind = state(edge);
  return <path d={`M${from[0]} ${from[1]}Q${middle[0]} ${middle[1]} ${end[0]} ${end[1]}`} className={`flow-line flow-${kind} ${edge.phi ? "flow-phi" : ""} ${isChosen ? "is-chosen" : ""}`} markerEnd={`url(#flow-${kind})`} />;
}

export function FlowTable({ edges, chosen }: FlowsProps) {
  return (
    <TableBox className="flows-scroll" label="Flows">
      <table className="flows-table">
        <thead><tr><th scope="col">Flow</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Protocol</th><th scope="col">State</th><th scope="col">Certificates, and what is missing</th></tr></thead>
        <tbody>
          {edges.map((edge) => (
            <tr key={edge.name} className={edge.name === chosen ? "is-chosen" : undefined} aria-current={edge.name === chosen ? "true" : undefined}>
              <th scope="row"><Link to="/topology" search={{ flow: edge.name }}><Name text={edge.name} most={80} /></Link>{edge.phi && <> <Status tone="high">PHI</Status></>}</th>
              <td><Name text={edge.from} most={80} /></td>
              <td><Name text={edge.to} most={80} /></td>
              <td><Name text={edge.protocol} most={40} /></td>
              <td>{state(edge) === "lacks" ? <Status tone="critical">lacks something</Status> : state(edge) === "protected" ? <Status tone="ok">protected</Status> : <Status tone="none">no certificate known</Status>}</td>
              <td>
                <ul>
                  {edge.gaps.map((gap) => <li key={gap.rule + gap.what}><Name text={gap.what} most={200} /></li>)}
                  {edge.certificates.map((held) => <li key={held.sha256 + held.place}><Link to="/inventory/$sha256" params={{ sha256: held.sha256 }}><Name text={held.subject} most={80} /></Link></li>)}
                  {edge.protected_by && <li>by <Name text={edge.protected_by} most={80} /></li>}
                </ul>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
