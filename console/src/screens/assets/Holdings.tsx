// The certificates that an asset was given, with what became of each.
import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { daysLeft } from "~/text/time";
import type { Holding } from "./types";

export function HoldingState({ holding }: { readonly holding: Holding }) {
  const left = daysLeft(holding.not_after * 1000);
  if (holding.state === "revoked") return <Status tone="none">revoked</Status>;
  if (left < 0) return <Status tone="critical">expired</Status>;
  if (holding.revoke_due !== null) return <Status tone="high">will be revoked</Status>;
  if (holding.state === "held") return <Status tone="medium">on hold</Status>;
  return <Status tone={left < 30 ? "high" : left < 90 ? "medium" : "ok"}>{left} days left</Status>;
}

export function Holdings({ holdings, isLoading }: { readonly holdings: readonly Holding[]; readonly isLoading: boolean }) {
  if (isLoading) return <p className="assets-none" role="status">Reading…</p>;
  if (holdings.length === 0) return <p className="assets-none">It was given no certificate by this Ward. It asks for one itself (EST, SCEP, CMP, ACME) with a right to enrol, or gets a spare.</p>;
  return (
    <ul className="assets-list">
      {holdings.map((holding) => (
        <li key={holding.sha256}>
          <HoldingState holding={holding} />
          <span>
            <Link to="/inventory/$sha256" params={{ sha256: holding.sha256 }}><Name text={holding.profile} /></Link>
            <span className="quiet small"> through <Name text={holding.endpoint} most={60} /> ({holding.protocol.toUpperCase()}), <Time at={holding.issued_at} as="minute" /></span>
          </span>
          <span className="small nowrap">{ending(holding)}</span>
        </li>
      ))}
    </ul>
  );
}

function ending(holding: Holding) {
  if (holding.state === "revoked") return <>revoked <Time at={(holding.revoked_at ?? 0) * 1000} as="minute" /></>;
  if (holding.revoke_due !== null) return <>planned for <Time at={holding.revoke_due} as="minute" /></>;
  return <>until <Time at={holding.not_after * 1000} /></>;
}
