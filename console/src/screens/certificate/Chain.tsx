// The chain, drawn from the certificate up: each issuer that the inventory knows, and what is known of its own end.
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import type { Shown } from "~/api/types";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { shortSubject } from "../inventory/subject";

/** Longer chains do not exist outside of attacks; cross-signatures could turn in a circle. */
const LONGEST = 8;

export function Chain({ certificate }: { readonly certificate: Shown }) {
  const above = useIssuers(certificate);
  const top = above.at(-1) ?? certificate;
  const isKnownToTop = top.self_signed;
  return (
    <ol className="chain">
      {!isKnownToTop && (
        <li className="chain-link chain-unknown">
          <strong>{top.signed_by === null ? "Nobody has seen who signed this" : "Looking…"}</strong>
          <span className="quiet small"><Name text={top.issuer} most={200} /></span>
        </li>
      )}
      {[...above].reverse().map((issuer) => (
        <li key={issuer.sha256} className="chain-link">
          <Link to="/inventory/$sha256" params={{ sha256: issuer.sha256 }}><Name text={shortSubject(issuer)} most={120} /></Link>
          <span className="row small">
            {issuer.self_signed && <Status tone="low">root</Status>}
            {issuer.revoked !== null && <Status tone="critical">revoked</Status>}
            {issuer.expires * 1000 < Date.now() ? <Status tone="critical">expired</Status> : <span className="quiet">until <Time at={issuer.expires * 1000} /></span>}
            {issuer.expires < certificate.expires && <Status tone="medium">ends before this one</Status>}
            <span className="quiet">{issuer.key}</span>
          </span>
        </li>
      ))}
      <li className="chain-link chain-self" aria-current="true">
        <strong><Name text={shortSubject(certificate)} most={120} /></strong>
        <span className="quiet small">this certificate, until <Time at={certificate.expires * 1000} /></span>
      </li>
    </ol>
  );
}

/** Issuers from below to the top; each answer says who comes next. */
function useIssuers(certificate: Shown): readonly Shown[] {
  const [hashes, setHashes] = useState<readonly string[]>(() => step([], certificate));
  const asked = useQueries({
    queries: hashes.map((sha256) => ({
      queryKey: ["certificate", sha256],
      queryFn: () => api.get<Shown>("/api/v1/inventory/{sha256}", { path: { sha256 } }),
      staleTime: 300_000,
    })),
  });
  const known = asked.map((each) => each.data).filter((each) => each !== undefined);
  const last = known.at(-1);
  if (last !== undefined && known.length === hashes.length) {
    const next = step(hashes, last);
    if (next.length > hashes.length && next.length <= LONGEST && !next.includes(certificate.sha256)) setHashes(next);
  }
  return known;
}

function step(hashes: readonly string[], from: Shown): readonly string[] {
  const next = from.signed_by;
  return next === null || from.self_signed || hashes.includes(next) ? hashes : [...hashes, next];
}
