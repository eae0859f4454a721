import { Link } from "@tanstack/react-router";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { TableBox } from "~/parts/table/TableBox";
import { daysLeft } from "~/text/time";
import { STATES } from "./states";
import type { Authority, Issuer, StatusReport } from "./types";

interface GenerationsProps {
  readonly authorities: readonly Authority[];
  readonly issuers: readonly Issuer[];
  readonly responders: StatusReport["responders"] | undefined;
  /** Unix milliseconds. */
  readonly then: number;
}

export function Generations({ authorities, issuers, responders, then }: GenerationsProps) {
  const titles = new Map(authorities.map((each) => [each.name, each]));
  return (
    <TableBox className="authorities-scroll" label="Generations">
      <table className="authorities-table">
        <thead>
          <tr>
            <th scope="col">Authority</th><th scope="col">State</th><th scope="col">Key</th><th scope="col">Signed by</th><th scope="col">From</th><th scope="col">Until</th><th scope="col">Key is</th><th scope="col">OCSP answers until</th>
          </tr>
        </thead>
        <tbody>
          {issuers.map((issuer) => {
            const [tone, word] = STATES[issuer.state] ?? ["none", issuer.state];
            const responder = responders?.find((each) => each.issuer === issuer.id);
            const left = daysLeft(Date.parse(issuer.not_after), then);
            return (
              <tr key={issuer.id}>
                <th scope="row">
                  <Link to="/inventory/$sha256" params={{ sha256: issuer.sha256 }}><Name text={titles.get(issuer.authority)?.title ?? issuer.authority} most={80} /></Link>
                  <span className="quiet small authorities-id"><Name text={issuer.id} mono most={40} />{issuer.generation > 1 && <>, generation {issuer.generation}</>}</span>
                </th>
                <td><Status tone={tone}>{word}</Status></td>
                <td><code className="nowrap">{issuer.algorithm}</code></td>
                <td>{issuer.parent === null ? <span className="quiet">itself</span> : <Name text={issuer.parent} mono most={40} />}</td>
                <td><Time at={Date.parse(issuer.not_before)} /></td>
                <td>{left < 365 ? <Status tone={left < 0 ? "critical" : "high"}>{left < 0 ? "expired" : `${left} days left`}</Status> : <Time at={Date.parse(issuer.not_after)} />}</td>
                <td>{issuer.key_here ? "here" : <span className="quiet">carried away</span>}</td>
                <td>{responder === undefined ? <span className="quiet">—</span> : <Time at={Date.parse(responder.not_after)} />}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableBox>
  );
}
