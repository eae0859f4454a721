// What is known around a certificate, each as a short list that says what an empty one means.
import { Link } from "@tanstack/react-router";
import type { Explained, ListedFinding, ListedPlace, Shown, Stay } from "~/api/types";
import { Name } from "~/parts/Name";
import { Status, Weight } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { TableBox } from "~/parts/table/TableBox";

const WEIGHTS = ["none", "note", "low", "medium", "high", "critical"];

export function Findings({ findings }: { readonly findings: readonly ListedFinding[] }) {
  if (findings.length === 0) return <p className="certificate-none">Nothing is known to be wrong with it.</p>;
  return (
    <ul className="certificate-list">
      {findings.map((finding) => (
        <li key={finding.id}>
          <Weight value={WEIGHTS[finding.severity] ?? "none"} />
          <span><Name text={finding.what} most={400} /> <code className="quiet small"><Name text={finding.rule} /></code></span>
          <span className="quiet small">since <Time at={finding.opened} />{finding.waived_until !== null && <>, waived until <Time at={finding.waived_until} /></>}</span>
        </li>
      ))}
    </ul>
  );
}

interface Protected {
  readonly kind: string;
  readonly name: string;
  readonly side: string;
  readonly phi: boolean;
  readonly ehr: boolean;
  readonly patient_facing: boolean;
}

export function Protects({ certificate, explained }: { readonly certificate: Shown; readonly explained: Explained | undefined }) {
  const protects = (explained?.protects ?? []) as readonly Protected[];
  if (protects.length === 0) {
    return (
      <p className="quiet">
        No flow or system on the map of health information leads through it{certificate.asset === null ? "" : ", beside the asset that holds it"}. Draw one with <code>ward flow add</code> if it should.
      </p>
    );
  }
  return (
    <ul className="stack tight">
      {protects.map((each) => (
        <li key={`${each.kind} ${each.name} ${each.side}`} className="row">
          <span className="quiet">{each.kind}</span>
          <strong><Name text={each.name} /></strong>
          <span className="quiet small">as {each.side}</span>
          {each.phi && <Status tone="high">PHI</Status>}
          {each.ehr && <Status tone="high">EHR</Status>}
          {each.patient_facing && <Status tone="high">patient-facing</Status>}
        </li>
      ))}
    </ul>
  );
}

export function Places({ places }: { readonly places: readonly ListedPlace[] }) {
  if (places.length === 0) return <p className="certificate-none">Nobody has seen it anywhere. A scan, an agent or an import finds places.</p>;
  return (
    <TableBox className="certificate-scroll" label="Places">
      <table className="certificate-table">
        <thead><tr><th scope="col">Place</th><th scope="col">Segment</th><th scope="col">Asset</th><th scope="col">Last look</th><th scope="col">Seen by</th></tr></thead>
        <tbody>
          {places.map((place) => (
            <tr key={place.id}>
              <td><Name text={place.place} mono />{place.gone !== null && <> <Status tone="none">gone</Status></>}</td>
              <td><Name text={place.segment} /></td>
              <td>{place.asset === null ? <span className="quiet">—</span> : <Link to="/assets/$id" params={{ id: place.asset }}><Name text={place.asset} /></Link>}</td>
              <td><Name text={place.outcome} /> <span className="quiet"><Time at={place.last_seen} as="relative" /></span></td>
              <td><Name text={place.seen_by} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

export function History({ history, asOf }: { readonly history: readonly Stay[]; readonly asOf: number | undefined }) {
  const stays = asOf === undefined ? history : history.filter((stay) => stay.first_seen <= asOf && (stay.replaced_at === null || stay.replaced_at > asOf));
  if (stays.length === 0) return <p className="certificate-none">{asOf === undefined ? "No place was recorded." : "At that instant it was nowhere that was known."}</p>;
  return (
    <ol className="certificate-list">
      {stays.map((stay) => (
        <li key={`${stay.place} ${stay.first_seen}`}>
          <span className="nowrap"><Time at={stay.first_seen} as="minute" /></span>
          <span><Name text={stay.place} mono /></span>
          <span className="quiet small">{stay.replaced_at === null ? <>there still, seen <Time at={stay.last_seen} as="relative" /></> : <>until <Time at={stay.replaced_at} as="minute" /></>}</span>
        </li>
      ))}
    </ol>
  );
}
