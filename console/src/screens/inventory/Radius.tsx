// What stops, as the server counted it for exactly these certificates.
import type { ReactNode } from "react";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import type { BlastRadius } from "./bulk-api";
import "./radius.css";

const MOST = 12;

interface RadiusProps {
  readonly radius: BlastRadius | undefined;
  readonly isPending: boolean;
  readonly title?: string;
  /** More that is to be known, as items of the list. */
  readonly children?: ReactNode;
}

export function Radius({ radius, isPending, title = "What stops", children }: RadiusProps) {
  return (
    <section className="radius" aria-label={title} aria-busy={isPending}>
      <h3>{title}</h3>
      {radius === undefined ? <p className="small quiet" role="status">{isPending ? "Counting what depends on it…" : "Nothing is known yet."}</p> : <Counted radius={radius}>{children}</Counted>}
      <p className="small quiet">This is what the inventory and the map of flows know. What nobody has found or drawn is not in it.</p>
    </section>
  );
}

function Counted({ radius, children }: { readonly radius: BlastRadius; readonly children: ReactNode }) {
  const n = (count: number) => count.toLocaleString("en");
  const owners = Object.entries(radius.owners).sort(([, a], [, b]) => b - a);
  const stopping = radius.flows.filter((flow) => flow.stops);
  const others = radius.flows.length - stopping.length;
  const isAlone = radius.places + radius.assets + radius.phi + radius.life_support + radius.authorities + radius.flows.length + radius.systems.length === 0;
  return (
    <>
      <dl className="radius-figures">
        {([["certificates", radius.certificates], ["places", radius.places], ["assets", radius.assets], ["health information", radius.phi], ["life support", radius.life_support], ["flows", radius.flows.length]] as const).map(([label, count]) => (
          <div key={label} className={count > 0 && (label === "life support" || label === "health information") ? "is-grave" : undefined}><dt>{label}</dt><dd>{n(count)}</dd></div>
        ))}
      </dl>
      <ul>
        {isAlone && <li>Nothing that is known depends on it.</li>}
        {radius.life_support > 0 && <li><Status tone="critical">life support</Status> {n(radius.life_support)} {radius.life_support === 1 ? "protects" : "protect"} what keeps patients alive.</li>}
        {radius.authorities > 0 && <li><Status tone="critical">authority</Status> {n(radius.authorities)} {radius.authorities === 1 ? "is an authority" : "are authorities"}: {n(radius.below)} certificates that they signed end with them.</li>}
        {stopping.slice(0, MOST).map((flow) => (
          <li key={flow.name}><Status tone={flow.phi ? "critical" : "high"}>stops</Status> flow <strong><Name text={flow.name} most={80} /></strong>{flow.phi && " (health information)"}</li>
        ))}
        {stopping.length > MOST && <li className="quiet">{n(stopping.length - MOST)} more flows stop.</li>}
        {others > 0 && <li className="quiet">{n(others)} {others === 1 ? "flow goes" : "flows go"} on: something else was seen to protect {others === 1 ? "it" : "them"}.</li>}
        {radius.systems.length > 0 && <li>Systems: {radius.systems.slice(0, MOST).map((system, at) => <span key={system}>{at > 0 && ", "}<Name text={system} most={60} /></span>)}</li>}
        {owners.length > 0 && <li>Answerable: {owners.slice(0, MOST).map(([owner, count], at) => <span key={owner}>{at > 0 && ", "}{owner === "" ? "nobody" : <Name text={owner} most={60} />} ({n(count)})</span>)}</li>}
        {radius.unknown.length > 0 && <li className="quiet">{n(radius.unknown.length)} are not in the inventory.</li>}
        {children}
      </ul>
    </>
  );
}
