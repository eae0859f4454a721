// Flows and systems of health information that lead through this asset: by the certificates that it holds or shows.
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import type { Explained, InventoryPage } from "~/api/types";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { type AssetRecord, type Holding, inForce } from "./types";

interface Protected {
  readonly kind: string;
  readonly name: string;
  readonly side: string;
  readonly phi: boolean;
  readonly patient_facing: boolean;
}

/** Certificates that are asked about; an asset with more is a gateway, and is told so. */
const ASKED = 8;

export function Flows({ asset, holdings }: { readonly asset: AssetRecord; readonly holdings: readonly Holding[] }) {
  const may = useMay("read-inventory");
  const seen = useQuery({
    queryKey: ["inventory", "of-asset", asset.id],
    queryFn: () => api.get<InventoryPage>("/api/v1/inventory", { query: { q: `asset = "${asset.id}" and not expired and not revoked`, limit: 50 } }),
    enabled: may,
  });
  const hashes = [...new Set([...inForce(holdings).map((holding) => holding.sha256), ...(seen.data?.certificates ?? []).map((each) => each.sha256)])];
  const explained = useQueries({
    queries: hashes.slice(0, ASKED).map((sha256) => ({
      queryKey: ["certificate", sha256, "risk"],
      queryFn: () => api.get<Explained>("/api/v1/inventory/{sha256}/risk", { path: { sha256 } }),
      enabled: may,
      retry: false,
      staleTime: 60_000,
    })),
  });
  if (!may) return <p className="quiet">Your role does not show the map of flows.</p>;
  if (seen.error) return <ProblemPanel error={seen.error} compact />;
  if (seen.isPending || explained.some((each) => each.isPending)) return <p className="quiet" role="status">Asking what depends on it…</p>;
  const protects = [...new Map(explained.flatMap((each) => (each.data?.protects ?? []) as readonly Protected[]).map((each) => [`${each.kind} ${each.name} ${each.side}`, each])).values()];
  const notHeld = (seen.data?.certificates ?? []).filter((each) => !holdings.some((holding) => holding.sha256 === each.sha256));
  return (
    <div className="stack tight">
      {protects.map((each) => (
        <p key={`${each.kind} ${each.name} ${each.side}`} className="row">
          <span className="quiet">{each.kind}</span>
          <strong><Name text={each.name} /></strong>
          <span className="quiet small">as {each.side}</span>
          {each.phi && <Status tone="high">PHI</Status>}
          {each.patient_facing && <Status tone="high">patient-facing</Status>}
        </p>
      ))}
      {protects.length === 0 && (
        <p className="quiet">
          {asset.phi ? "The register says that it holds or passes on health information; no" : "No"} flow of the map leads through a certificate of it.{asset.phi && <> Draw one with <code>ward flow add</code>.</>}
        </p>
      )}
      {notHeld.length > 0 && (
        <p className="small">
          <Link to="/inventory" search={{ q: `asset = "${asset.id}"` }}>{notHeld.length} more {notHeld.length === 1 ? "certificate was" : "certificates were"} seen on it</Link>
          <span className="quiet"> that this Ward did not give it.</span>
        </p>
      )}
      {hashes.length > ASKED && <p className="small quiet">Of {hashes.length} certificates the first {ASKED} were asked about.</p>}
    </div>
  );
}
