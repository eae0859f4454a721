// One request: what is asked, why, what it would change, who said what; and one's own word.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { api } from "~/api/client";
import { ApiProblem } from "~/api/problem";
import { useAsOf } from "~/app/as-of";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { Decide } from "./Decide";
import { Device } from "./Device";
import { Diff } from "./Diff";
import { Said } from "./Said";
import { useWaitingDevices } from "./devices";
import { readRequests } from "./list";
import { askerOf, OPEN, type Request as Asked, SORTS, sortOf, stateOf, titleOf } from "./types";
import "./requests.css";

export function Request() {
  const { id } = useParams({ from: "/shell/requests/$id" });
  const asOf = useAsOf();
  const asked = useQuery({ queryKey: ["requests", id, asOf], queryFn: ({ signal }) => read(id, asOf, signal) });
  const back = <Link to="/requests">All requests</Link>;
  if (asked.error) return <Page title="Request" about={back}><ProblemPanel error={asked.error} onRetry={() => void asked.refetch()} /></Page>;
  if (asked.data === undefined) return <Page title="Request" about={back}><p className="quiet" role="status">Reading…</p></Page>;
  return <Known request={asked.data} isPast={asOf !== undefined} />;
}

/** The past is read from the list, which the API has as of an instant. */
async function read(id: string, asOf: string | undefined, signal: AbortSignal): Promise<Asked> {
  if (asOf === undefined) return api.get<Asked>("/api/v1/requests/{id}", { path: { id }, signal });
  const then = await readRequests(asOf, signal);
  const found = then.find((each) => each.id === id);
  if (found === undefined) throw new ApiProblem({ type: "urn:ward:problem:not-found", title: "There is no such object", status: 404, detail: "Nobody had asked for it then." });
  return found;
}

function Known({ request, isPast }: { readonly request: Asked; readonly isPast: boolean }) {
  const devices = useWaitingDevices();
  const device = devices.get(request.id);
  const title = titleOf(request);
  const [tone, text] = stateOf(request);
  return (
    <Page title={title} heading={<Name text={title} most={160} />} about={<><span className="mono">{request.id}</span> · <Link to="/requests">All requests</Link></>}>
      <div className="requests-strip">
        <Status tone={tone}>{text}</Status>
        <Status tone="none">{SORTS[sortOf(request, devices)]}</Status>
        {request.call?.emergency && <Status tone="high">made in an emergency</Status>}
        <Progress request={request} />
        <span className="quiet small">
          asked <Time at={request.created} as="relative" /> by <strong><Name text={askerOf(request, device)} most={60} /></strong>
          {OPEN.has(request.state) && <>, lapses <Time at={request.expires} as="relative" /></>}
        </span>
      </div>
      <div className="requests-columns">
        <div className="stack">
          {request.call && (
            <Panel title="What will change" note={<><code>{request.call.method}</code> <Name text={request.call.path} mono most={160} /></>} flush>
              <Diff call={request.call} />
            </Panel>
          )}
          {!request.call && <Panel title={request.kind === "spare" ? "What is taken out" : "What is issued"}><What request={request} /></Panel>}
          {device && <Device registration={device} />}
          <Panel title="What supports it" flush><Evidence request={request} /></Panel>
          <Panel title="What was said" flush><Said request={request} asker={askerOf(request, device)} isPast={isPast} /></Panel>
        </div>
        <div className="stack">
          <Panel title="Your word"><Decide request={request} isPast={isPast} /></Panel>
          <Panel title="Who asks"><Who request={request} asker={askerOf(request, device)} /></Panel>
        </div>
      </div>
    </Page>
  );
}

function Progress({ request }: { readonly request: Asked }) {
  if (request.needed === 0) return null;
  return (
    <span className="requests-progress">
      <span className="requests-steps" aria-hidden="true">
        {Array.from({ length: Math.min(request.needed, 9) }, (_, index) => <i key={index} className={index < request.approvals ? "is-on" : ""} />)}
      </span>
      <span className="small">{request.approvals} of {request.needed} agreed</span>
    </span>
  );
}

function What({ request }: { readonly request: Asked }) {
  return (
    <Facts
      items={[
        ["Profile", <Name key="p" text={request.profile} none="none" />],
        ["Issued by", <Name key="a" text={request.authority} none="none" />],
        ["Names", <Name key="n" text={request.names.join(", ")} most={600} none="those of its subject" />],
        ["In short", <Name key="s" text={request.summary} most={600} />],
        ...(request.result === null || request.result === undefined ? [] : [["Became", <Link key="r" to="/inventory/$sha256" params={{ sha256: request.result }}><Name text={request.result} mono most={24} /></Link>] as const]),
      ]}
    />
  );
}

function Evidence({ request }: { readonly request: Asked }) {
  if (request.evidence.length === 0) return <p className="requests-none">Nothing was handed in with it. Ask for it in a comment before you agree.</p>;
  return (
    <ul className="requests-list">
      {request.evidence.map((each, index) => (
        <li key={index}>
          <Status tone="low"><Name text={each.kind} most={40} line /></Status>
          <span><Name text={each.text} most={1000} />{each.sha256 && <span className="quiet small"> SHA-256 <Name text={each.sha256} mono most={24} /></span>}</span>
        </li>
      ))}
    </ul>
  );
}

function Who({ request, asker }: { readonly request: Asked; readonly asker: string }) {
  const { actor, grants } = request.requester;
  return (
    <Facts
      items={[
        ["Who", <Name key="w" text={asker} />],
        ["Signed in as", <span key="k">{actor.kind} <Name text={actor.id} mono most={60} /></span>],
        ["Roles then", <Name key="r" text={[...new Set(grants.map((grant) => grant.role))].join(", ")} none="none" />],
        ...(request.on_behalf_of.length === 0 ? [] : [["On behalf of", <Name key="o" text={request.on_behalf_of.join(", ")} />] as const]),
        ...(request.call ? [["Policy", <Name key="p" text={request.call.policy} />] as const] : []),
        ...(request.call && request.call.approvers.length > 0 ? [["Decided by", <Name key="d" text={request.call.approvers.join(", ")} />] as const] : []),
      ]}
    />
  );
}
