// Authorities drawn as they hang together, how fresh what they publish is, and the profiles that they issue by.
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
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
  const authorities = useQuery({ queryKey: ["authorities"], queryFn: () => api.get<readonly Authority[]>("/api/v1/authorities") });
  const issuers = useQuery({ queryKey: ["authorities", "issuers"], queryFn: () => api.get<readonly Issuer[]>("/api/v1/issuers") });
  const lists = useQuery({ queryKey: ["crls"], queryFn: () => api.get<readonly RevocationList[]>("/api/v1/crls"), refetchInterval: 60_000 });
  const status = useQuery({ queryKey: ["crls", "responders"], queryFn: () => api.get<{ readonly state: StatusReport }>("/api/v1/status"), retry: false });
  const profiles = useQuery({ queryKey: ["profiles"], queryFn: () => api.get<readonly ProfileView[]>("/api/v1/profiles"), enabled: mayProfiles });
  const error = authorities.error ?? issuers.error;
  const isReady = authorities.data !== undefined && issuers.data !== undefined;
  const again = () => void Promise.all([authorities.refetch(), issuers.refetch()]);
  return (
    <Page title="Authorities" about="Who signs for this house, how fresh what they publish is, and by which profiles they issue">
      {asOf !== undefined && <p className="quiet">Authorities, lists and profiles are shown as they are now: of the past, the audit log and the certificates themselves tell.</p>}
      {error && <ProblemPanel error={error} onRetry={again} />}
      {!error && !isReady && <p className="quiet" role="status">Reading…</p>}
      {isReady && authorities.data.length === 0 && (
        <Empty icon="authority" title="There is no authority yet" command="ward init --organization &quot;Mercy Hospital&quot;">
          A root that lies in a safe, and authorities below it that issue: servers, devices, people.
        </Empty>
      )}
      {isReady && authorities.data.length > 0 && (
        <>
          <Panel title="How they hang together" note={`${authorities.data.length} authorities, ${issuers.data.length} keys`}>
            <Tree branches={treeOf(authorities.data)} issuers={issuers.data} lists={lists.data ?? []} />
          </Panel>
          <Panel title="Every generation" note="the same as a table" flush><Generations authorities={authorities.data} issuers={issuers.data} responders={status.data?.state.responders} /></Panel>
          <Panel title="Revocation lists" note="what peers fetch" flush>
            {lists.error ? <ProblemPanel error={lists.error} compact onRetry={() => void lists.refetch()} /> : <Lists lists={lists.data} isPast={asOf !== undefined} />}
          </Panel>
        </>
      )}
      {mayProfiles && <Profiles profiles={profiles.data} error={profiles.error} onRetry={() => void profiles.refetch()} />}
    </Page>
  );
}
