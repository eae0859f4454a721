// One profile with every field, and as the text that it was written in.
import { CopyButton, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { rulesOf } from "./rules";
import type { ProfileView } from "./types";

export function Profile({ name }: { readonly name: string }) {
  const asOf = useAsOf();
  const query = { as_of: asOf };
  const profiles = useQuery({ queryKey: ["profiles", asOf], queryFn: () => api.get<readonly ProfileView[]>("/api/v1/profiles", { query }) });
  const text = useQuery({ queryKey: ["profiles", name, asOf], queryFn: () => api.get<string>("/api/v1/profiles/{name}", { path: { name }, query }), retry: false });
  const profile = profiles.data?.find((each) => each.name === name);
  const back = <Link to="/authorities" search={{}}>All authorities and profiles</Link>;
  if (profiles.error) return <Page title={name} about={back}><ProblemPanel error={profiles.error} onRetry={() => void profiles.refetch()} /></Page>;
  if (profiles.data === undefined) return <Page title={name} about={back}><p className="quiet" role="status">Reading…</p></Page>;
  if (profile === undefined) return <Page title="Profile" about={back}>{asOf === undefined ? <Empty icon="search" title="No profile of this name is in force">It may be mistyped, or a draft.</Empty> : <Empty icon="clock" title="No profile of this name was in force then">Choose a later instant, or go back to now.</Empty>}</Page>;
  return (
    <Page title={profile.title} heading={<Name text={profile.title} most={100} />} about={<><span className="mono">{profile.name}</span>, version {profile.version} · {back}</>}>
      <Fields profile={profile} />
      <Panel title="As it was written" actions={text.data !== undefined && <CopyButton value={text.data}>{({ copied, copy }) => <Button variant="default" size="compact-sm" onClick={copy}>{copied ? "Copied" : "Copy"}</Button>}</CopyButton>} flush>
        {text.error ? <ProblemPanel error={text.error} compact /> : <pre className="authorities-toml" tabIndex={0}>{text.data ?? "Reading…"}</pre>}
      </Panel>
    </Page>
  );
}

function Fields({ profile }: { readonly profile: ProfileView }) {
  const rules = rulesOf(profile);
  return (
    <div className="authorities-columns">
      <Panel title="What is issued">
        <Facts
          items={[
            ["Class", rules.class],
            ["Issued by", <List key="i" words={rules.issuedBy} />],
            ["Usual life", rules.usual],
            ["At most", rules.exception === undefined ? rules.max : `${rules.max}; ${rules.exception} with a recorded exception`],
            ["Renewal", rules.renewal || "not said"],
            ["Key usage", <List key="k" words={rules.keyUsage} />],
            ["Extended", <List key="x" words={rules.extendedUsage} />],
          ]}
        />
      </Panel>
      <Panel title="Keys and permission">
        <Facts
          items={[
            ["Keys", <List key="a" words={rules.algorithms} />],
            ["Made by", rules.serverKeys ? "whoever asks, or Ward" : "whoever asks"],
            ["Who may ask", <List key="r" words={rules.roles} />],
            ["Approvals", profile.approvals === 0 ? "none" : <Status key="n" tone="medium">{profile.approvals === 1 ? "1 other person" : `${profile.approvals} other people`}</Status>],
            ["Evidence", rules.needsEvidence ? "has to be handed in" : "may be handed in"],
          ]}
        />
      </Panel>
      <Panel title="Names">
        <Facts items={[...rules.subject.map(([attribute, rule]) => [attribute, <Name key={attribute} text={rule} most={300} />] as const), ...rules.names.map(([kind, rule]) => [kind, <Name key={kind} text={rule} most={300} />] as const)]} />
      </Panel>
      <Panel title="By which rules"><ul className="stack tight">{profile.citations.map((each) => <li key={each}><Name text={each} /></li>)}</ul></Panel>
    </div>
  );
}

function List({ words }: { readonly words: readonly string[] }) {
  return <Name text={words.join(", ")} most={400} none="none" />;
}
