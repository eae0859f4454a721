// The radar itself: one spoke an axis, the house as it stands, and as it would stand with the levers. Drawn as SVG by React,
// so that it follows a drag at once and prints sharp; the same stands behind it as a table.
import { type Axis, shown, type Values } from "./whatif";
import { TableBox } from "~/parts/table/TableBox";

const [WIDTH, HEIGHT, RADIUS] = [480, 360, 118];
const [X, Y] = [WIDTH / 2, HEIGHT / 2 + 2];
const RINGS = [25, 50, 75, 100];

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where `value` of 100 is on a spoke; the first points up, the others follow clockwise. */
export function point(at: number, of: number, value: number): Point {
  const angle = (2 * Math.PI * at) / of - Math.PI / 2;
  const far = (RADIUS * value) / 100;
  return { x: X + far * Math.cos(angle), y: Y + far * Math.sin(angle) };
}

function outline(points: readonly Point[]): string {
  return points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
}

interface WebProps {
  readonly axes: readonly Axis[];
  readonly now: Values;
  readonly then: Values;
  readonly isMoved: boolean;
}

export function Web({ axes, now, then, isMoved }: WebProps) {
  const polygon = (values: Values) => outline(axes.map((_, at) => point(at, axes.length, values.axes[at] ?? 0)));
  const label = `Health radar: ${axes.map((axis, at) => `${axis.title} ${shown(now.axes[at])}`).join(", ")}`;
  return (
    <figure className="radar-figure">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} className="radar-web">
        {RINGS.map((ring) => (
          <polygon key={ring} className="radar-ring" points={outline(axes.map((_, at) => point(at, axes.length, ring)))} />
        ))}
        {axes.map((axis, at) => {
          const end = point(at, axes.length, 100);
          return <line key={axis.id} className="radar-spoke" x1={X} y1={Y} x2={end.x} y2={end.y} />;
        })}
        {isMoved && <polygon className="radar-then" points={polygon(then)} />}
        <polygon className="radar-now" points={polygon(now)} />
        {axes.map((axis, at) => {
          const { x, y } = point(at, axes.length, now.axes[at] ?? 0);
          return <circle key={axis.id} className="radar-dot" cx={x} cy={y} r={3.5} />;
        })}
        {axes.map((axis, at) => <Label key={axis.id} axis={axis} at={at} of={axes.length} now={now} then={then} isMoved={isMoved} />)}
      </svg>
      <figcaption className="radar-legend small">
        <span><svg width="22" height="10" aria-hidden="true"><line x1="1" y1="5" x2="21" y2="5" className="radar-key-now" /></svg> as it stands</span>
        {isMoved && <span><svg width="22" height="10" aria-hidden="true"><line x1="1" y1="5" x2="21" y2="5" className="radar-key-then" /></svg> with the levers</span>}
      </figcaption>
      <details>
        <summary>As a table</summary>
        <TableBox className="radar-scroll" label="Axes of the radar">
        <table className="radar-table">
          <thead><tr><th scope="col">Axis</th><th scope="col" className="number">Now</th><th scope="col" className="number">With the levers</th><th scope="col" className="number">Weight</th></tr></thead>
          <tbody>
            {axes.map((axis, at) => (
              <tr key={axis.id}><th scope="row">{axis.title}</th><td className="number">{shown(now.axes[at])}</td><td className="number">{shown(then.axes[at])}</td><td className="number">{axis.weight}</td></tr>
            ))}
            <tr><th scope="row">Score</th><td className="number">{shown(now.score)}</td><td className="number">{shown(then.score)}</td><td /></tr>
          </tbody>
        </table>
        </TableBox>
      </details>
    </figure>
  );
}

interface LabelProps {
  readonly axis: Axis;
  readonly at: number;
  readonly of: number;
  readonly now: Values;
  readonly then: Values;
  readonly isMoved: boolean;
}

/** The name in at most two lines, and the value under it. */
function Label({ axis, at, of, now, then, isMoved }: LabelProps) {
  const { x, y } = point(at, of, 111);
  const words = axis.title.split(" ");
  const half = axis.title.length > 10 && words.length > 1 ? Math.ceil(words.length / 2) : words.length;
  const lines = [words.slice(0, half).join(" "), words.slice(half).join(" ")].filter((line) => line !== "");
  const anchor = Math.abs(x - X) < 4 ? "middle" : x < X ? "end" : "start";
  const isTop = y < Y - RADIUS;
  const isBottom = y > Y + RADIUS;
  const height = (lines.length + 1) * 15;
  const top = isTop ? y - height + 12 : isBottom ? y + 11 : y - height / 2 + 11;
  const was = shown(now.axes[at]);
  const will = shown(then.axes[at]);
  return (
    <text className="radar-label" textAnchor={anchor} aria-hidden="true">
      {lines.map((line, index) => <tspan key={line} x={x} y={top + index * 15}>{line}</tspan>)}
      <tspan className="radar-label-value" x={x} y={top + lines.length * 15}>{isMoved && will !== was ? `${was} → ${will}` : was}</tspan>
    </text>
  );
}
