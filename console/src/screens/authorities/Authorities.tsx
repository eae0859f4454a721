// Authorities drawn as they hang together, how fresh what they publish is, and the profiles that they issue by.
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { instantOf, useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Generations } from "./Generations";
import { Lists } from "./Lists";
import { Profile } from "./Profile";
import { Profiles } from "./Profiles";
import { Tree } from "./Tree";
import { treeOf } from "./tree";
import type { Authority, Issuer, ProfileView, RevocationList, StatusReport } from "./types";
import "./authorities.css";

export function Authorities() {
  const { profile } = useSearch({ from: "/shell/authorities" });
  return profile === undefined ? <Hierarchy /> : <Profile name={profile} />;
}

function Hierarchy() {
  const asOf = useAsOf();
  const mayProfiles = useMay("read-profiles");
  const isNow = asOf === undefined;
  const query = { as_of: asOf };
  const authorities = useQuery({ queryKey: ["authorities", asOf], queryFn: () => api.get<readonly Authority[]>("/api/v1/authorities", { query }) });
  const issuers = useQuery({ queryKey: ["authorities", "issuers", asOf], queryFn: () => api.get<readonly Issuer[]>("/api/v1/issuers", { query }) });
  const lists = useQuery({ queryKey: ["crls"], queryFn: () => api.get<readonly RevocationList[]>("/api/v1/crls"), refetchInterval: 60_000, enabled: isNow });
  const status = useQuery({ queryKey: ["crls", "responders"], queryFn: () => api.get<{ readonly state: StatusReport }>("/api/v1/status"), retry: false, enabled: isNow });
  const profiles = useQuery({ queryKey: ["profiles", asOf], queryFn: () => api.get<readonly ProfileView[]>("/api/v1/profiles", { query }), enabled: mayProfiles });
  const error = authorities.error ?? issuers.error;
  const isReady = authorities.data !== undefined && issuers.data !== undefined;
  const again = () => void Promise.all([authorities.refetch(), issuers.refetch()]);
  return (
    <Page title="Authorities" about="Who signs for this house, how fresh what they publish is, and by which profiles they issue">
      {error && <ProblemPanel error={error} onRetry={again} />}
      {!error && !isReady && <p className="quiet" role="status">Reading…</p>}
      {isReady && authorities.data.length === 0 && !isNow && <Empty icon="clock" title="There was no authority then">Choose a later instant, or go back to now.</Empty>}
      {isReady && authorities.data.length === 0 && isNow && (
        <Empty icon="authority" title="There is no authority yet" command="ward init --organization &quot;Mercy Hospital&quot;">
          A root that lies in a safe, and authorities below it that issue: servers, devices, people.
        </Empty>
      )}
      {isReady && authorities.data.length > 0 && (
        <>
          <Panel title="How they hang together" note={`${authorities.data.length} authorities, ${issuers.data.length} keys`}>
            <Tree branches={treeOf(authorities.data)} issuers={issuers.data} lists={isNow ? (lists.data ?? []) : undefined} then={instantOf(asOf)} />
          </Panel>
          <Panel title="Every generation" note="the same as a table" flush><Generations authorities={authorities.data} issuers={issuers.data} responders={isNow ? status.data?.state.responders : undefined} then={instantOf(asOf)} /></Panel>
          <Panel title="Revocation lists" note="what peers fetch" flush>
            {!isNow && <p className="authorities-none">How fresh lists and OCSP answers were is not kept. The audit log has every publication.</p>}
            {isNow && (lists.error ? <ProblemPanel error={lists.error} compact onRetry={() => void lists.refetch()} /> : <Lists lists={lists.data} />)}
          </Panel>
        </>
      )}
      {mayProfiles && <Profiles isPast={!isNow} profiles={profiles.data} error={profiles.error} onRetry={() => void profiles.refetch()} />}
    </Page>
  );
}
