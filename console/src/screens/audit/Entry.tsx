// One event: its record as it stands in the log, and the proof that it stands there.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "~/api/client";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Outcome } from "./columns";
import type { LogEvent } from "./events";
import { Proof } from "./Proof";
import type { InclusionProof } from "./proof";
import "./audit.css";

export function Entry() {
  const { seq } = useParams({ from: "/shell/audit/$seq" });
  const number = /^\d{1,15}$/.test(seq) ? Number(seq) : undefined;
  // An event never changes: what is shown is parsed from the text that the proof is about.
  const proof = useQuery({
    queryKey: ["audit", "entry", number],
    queryFn: () => api.get<InclusionProof>("/api/v1/audit/proofs/{seq}", { path: { seq: number ?? 0 } }),
    enabled: number !== undefined,
    staleTime: Infinity,
  });
  const event = parsed(proof.data);
  return (
    <Page
      title={`Event ${seq}`}
      heading={event === undefined ? `Event ${seq}` : <><Name text={event.action} most={80} /> <span className="quiet">#{seq}</span></>}
      about={<Link to="/audit">All events</Link>}
    >
      {number === undefined && <Empty icon="audit" title="That is no number of an event">Events are counted from 0.</Empty>}
      {proof.error && <ProblemPanel error={proof.error} onRetry={() => void proof.refetch()} />}
      {proof.isPending && number !== undefined && <div className="audit-ghost" role="status" aria-label="Reading the event" />}
      {event !== undefined && proof.data !== undefined && number !== undefined && (
        <div className="audit-columns">
          <div className="stack">
            <Panel title="Record" actions={<Outcome value={event.outcome} />}><Record event={event} /></Panel>
            {(event.before !== undefined || event.after !== undefined) && <Panel title="What changed"><Changed before={event.before} after={event.after} /></Panel>}
            <Panel title="As it was logged" note="every byte of it is under the proof"><pre className="audit-raw" tabIndex={0}><Name text={proof.data.entry} most={4000} mono /></pre></Panel>
          </div>
          <Proof key={number} seq={number} shown={proof.data.entry} last={number === 0 ? undefined : number - 1} />
        </div>
      )}
    </Page>
  );
}

function parsed(proof: InclusionProof | undefined): LogEvent | undefined {
  if (proof === undefined) return undefined;
  try {
    return { ...(JSON.parse(proof.entry) as LogEvent), seq: proof.seq };
  } catch {
    return { ...(proof.event as unknown as LogEvent), seq: proof.seq };
  }
}

function Record({ event }: { readonly event: LogEvent }) {
  return (
    <Facts
      items={[
        ["When", <time key="t" dateTime={event.time}>{event.time}</time>],
        ["Who", <span key="w"><Name text={event.actor.id} mono /> <span className="quiet">{event.actor.kind}{event.actor.role ? `, as ${event.actor.role}` : ""}</span></span>],
        ["What", <Name key="a" text={event.action} mono />],
        ["To what", <span key="o"><span className="quiet"><Name text={event.object.kind} /></span> <ObjectLink event={event} /></span>],
        ...(event.why === undefined ? [] : [["Why", <Name key="y" text={event.why} most={1000} />] as const]),
        ...(event.request === undefined ? [] : [["Request", <Name key="r" text={event.request} mono />] as const]),
        ...(event.digest === undefined ? [] : [["SHA-256", <Digest key="d" event={event} />] as const]),
      ]}
    />
  );
}

function ObjectLink({ event }: { readonly event: LogEvent }) {
  const { kind, id } = event.object;
  const shown = <Name text={id} mono most={120} />;
  if (kind === "asset") return <Link to="/assets/$id" params={{ id }}>{shown}</Link>;
  if (kind === "request") return <Link to="/requests/$id" params={{ id }}>{shown}</Link>;
  return shown;
}

function Digest({ event }: { readonly event: LogEvent }) {
  const digest = event.digest ?? "";
  if (event.action !== "certificate.issue") return <Name text={digest} mono />;
  return <Link to="/inventory/$sha256" params={{ sha256: digest }}><Name text={digest} mono /></Link>;
}

/** Field by field where both are objects, what differs first; whole otherwise. */
function Changed({ before, after }: { readonly before: unknown; readonly after: unknown }) {
  const [isWhole, setWhole] = useState(false);
  const rows = fields(before, after);
  const changed = rows.filter((row) => row.was !== row.is);
  const shown = isWhole || changed.length === 0 ? rows : changed;
  return (
    <div className="stack">
      <dl className="audit-changes">
        {shown.map((row) => (
          <div key={row.name}>
            <dt><Name text={row.name} mono /></dt>
            <dd>
              {row.was !== undefined && row.was !== row.is && <del><span className="sr-only">was </span><Name text={row.was} mono most={300} /></del>}
              {row.is !== undefined && <span className={row.was === row.is ? "quiet" : undefined}><Name text={row.is} mono most={300} /></span>}
              {row.is === undefined && <span className="quiet">removed</span>}
            </dd>
          </div>
        ))}
      </dl>
      {changed.length > 0 && changed.length < rows.length && (
        <button type="button" className="audit-again" onClick={() => setWhole(!isWhole)}>{isWhole ? "Only what changed" : `${rows.length - changed.length} more that stayed`}</button>
      )}
    </div>
  );
}

interface Field {
  readonly name: string;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

function fields(before: unknown, after: unknown): readonly Field[] {
  const [old, now] = [asObject(before), asObject(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].map((name) => ({ name, was: plain(old[name]), is: plain(now[name]) }));
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : { value };
}

function plain(value: unknown): string | undefined {
  return value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
}
