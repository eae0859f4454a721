// The same way for each: say what, look at what would happen, do it, watch it.
import { Button, Checkbox, Modal, Progress, Select, Textarea, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { REASONS } from "../certificate/revocation";
import { Radius } from "./Radius";
import { type Job, start, useDryRun, useJob, type Which, type Wish } from "./bulk-api";

interface DialogProps {
  readonly which: Which;
  /** Nothing was done. */
  readonly onClose: () => void;
  /** Something was done, or waits. */
  readonly onDone: () => void;
}

const SETTLE_MS = 400;

export function BulkRevoke(props: DialogProps) {
  const [reason, setReason] = useState("superseded");
  const [why, setWhy] = useState("");
  const body = { ...props.which, reason, ...(why.trim() === "" ? {} : { why: why.trim() }) };
  return (
    <Way
      {...props}
      title="Revoke"
      verb="Revoke"
      isDangerous
      wish={{ path: "/api/v1/bulk/revoke", body }}
      said="I have read what stops. A revocation is for good."
      fields={
        <>
          <Select label="Reason" data={[...REASONS]} value={reason} onChange={(value) => setReason(value ?? "superseded")} />
          <Textarea label="Why" description="Stands in the audit log: ticket, incident, who asked" maxLength={1000} value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
        </>
      }
    />
  );
}

export function BulkOwner(props: DialogProps) {
  const [owner, setOwner] = useState("");
  const wish: Wish | undefined = owner.trim() === "" ? undefined : { path: "/api/v1/bulk/owner", body: { ...props.which, owner: owner.trim() } };
  return (
    <Way
      {...props}
      title="Give an owner"
      verb="Give"
      wish={wish}
      fields={
        <>
          <p className="small">Given by hand, it wins over the rules of owners, and replaces what was given by hand before. If a rule could say it, write the rule.</p>
          <TextInput label="Owner" description="Team or person that answers for them" required data-autofocus maxLength={200} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
        </>
      }
    />
  );
}

const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== "");

export function BulkTag(props: DialogProps) {
  const [give, setGive] = useState("");
  const [take, setTake] = useState("");
  const [tags, untag] = [words(give), words(take)];
  const wish: Wish | undefined = tags.length + untag.length === 0 ? undefined : { path: "/api/v1/bulk/tag", body: { ...props.which, tags, untag } };
  return (
    <Way
      {...props}
      title="Tag"
      verb="Tag"
      wish={wish}
      fields={
        <>
          <TextInput label="Give" description="Words with spaces or commas between" data-autofocus maxLength={400} value={give} onChange={(event) => setGive(event.currentTarget.value)} />
          <TextInput label="Take" maxLength={400} value={take} onChange={(event) => setTake(event.currentTarget.value)} />
        </>
      }
    />
  );
}

interface WayProps extends DialogProps {
  readonly title: string;
  readonly verb: string;
  readonly wish: Wish | undefined;
  readonly fields: ReactNode;
  /** What has to be ticked before what cannot be taken back. */
  readonly said?: string;
  readonly isDangerous?: boolean;
}

function Way({ which, onClose, onDone, title, verb, wish, fields, said, isDangerous = false }: WayProps) {
  const [isSure, setSure] = useState(said === undefined);
  const [settled] = useDebouncedValue(JSON.stringify(wish ?? null), SETTLE_MS);
  const settledWish = (JSON.parse(settled) ?? undefined) as Wish | undefined;
  const isTyping = JSON.stringify(wish ?? null) !== settled;
  const plan = useDryRun(settledWish);
  const run = useMutation({
    mutationFn: ({ wished, digest }: { wished: Wish; digest: string }) => start(wished, digest),
    // What is meant has changed meanwhile: it is looked at anew.
    onError: () => void plan.refetch(),
  });
  const count = plan.data?.count ?? ("ids" in which ? which.ids.length : undefined);
  const many = count === undefined ? "" : ` ${count.toLocaleString("en")} ${count === 1 ? "certificate" : "certificates"}`;
  if (run.data?.done) return <Watch id={run.data.data.job} title={title} onClose={onDone} />;
  if (run.data !== undefined && !run.data.done) {
    return (
      <Modal opened onClose={onDone} size="lg" title={`${title}${many}`}>
        <div className="stack">
          <p role="status">It waits for approval as <Link to="/requests/$id" params={{ id: run.data.request }} onClick={onDone}>request {run.data.request}</Link>. Nothing has changed yet.</p>
          <div className="row"><Button onClick={onDone}>Close</Button></div>
        </div>
      </Modal>
    );
  }
  const isReady = plan.data !== undefined && settledWish !== undefined && !isTyping && !plan.isFetching && plan.data.count > 0;
  return (
    <Modal opened onClose={onClose} size="lg" title={`${title}${many}`}>
      <div className="stack">
        {"search" in which && <p className="small">Everything that this search finds: <code><Name text={which.search} most={200} /></code></p>}
        {isDangerous && (
          <Radius radius={plan.data?.blast_radius} isPending={plan.isFetching}>
            <li className="quiet">Those that this Ward did not issue, or has revoked already, are refused one by one and hurt none of the others.</li>
          </Radius>
        )}
        {fields}
        {plan.error !== null && <ProblemPanel error={plan.error} compact />}
        {!isDangerous && plan.data !== undefined && !isTyping && <p className="small quiet" role="status">{plan.data.count.toLocaleString("en")} would be changed. Each is an event of its own in the log.</p>}
        {run.error && <ProblemPanel error={run.error} compact />}
        {said !== undefined && <Checkbox checked={isSure} onChange={(event) => setSure(event.currentTarget.checked)} label={said} />}
        <div className="row">
          <Button
            {...(isDangerous ? { color: "red" } : {})}
            disabled={!isSure || !isReady}
            loading={run.isPending}
            onClick={() => settledWish && plan.data && run.mutate({ wished: settledWish, digest: plan.data.digest })}
          >
            {verb}{many}
          </Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
        <p className="small quiet">What is done is exactly what is shown: should the list be another one meanwhile, nothing is.</p>
      </div>
    </Modal>
  );
}

/** The job goes on whether somebody watches or not. */
function Watch({ id, title, onClose }: { readonly id: string; readonly title: string; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const job = useJob(id);
  const isEnded = Boolean(job.data?.ended);
  useEffect(() => {
    if (isEnded) void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "jobs" });
  }, [isEnded, queries]);
  return (
    <Modal opened onClose={onClose} size="lg" title={title}>
      <div className="stack">
        {job.error && <ProblemPanel error={job.error} onRetry={() => void job.refetch()} compact />}
        {job.data && <Standing job={job.data} />}
        <div className="row">
          <Button data-autofocus onClick={onClose}>{isEnded ? "Close" : "Let it go on"}</Button>
          <span className="small quiet">Job <code>{id}</code>: it goes on without this window, and after a restart of Ward.</span>
        </div>
      </div>
    </Modal>
  );
}

function Standing({ job }: { readonly job: Job }) {
  const through = job.done + job.refused;
  return (
    <>
      <Progress value={(through / Math.max(1, job.total)) * 100} aria-label="How many are through" />
      <p role="status" className="row">
        <strong>{through.toLocaleString("en")} of {job.total.toLocaleString("en")}</strong>
        <Status tone="ok">{job.done.toLocaleString("en")} done</Status>
        {job.refused > 0 && <Status tone="high">{job.refused.toLocaleString("en")} refused</Status>}
        {job.ended ? <span className="quiet">All are through.</span> : <span className="quiet">Working…</span>}
      </p>
      {job.refusals.length > 0 && (
        <ul className="bulk-result" aria-label="Refused">
          {job.refusals.slice(0, 200).map((each) => (
            <li key={each.position}>
              <Link to="/inventory/$sha256" params={{ sha256: each.item }}><code>{each.item.slice(0, 16)}</code></Link>
              <span className="small"><Name text={each.said} most={300} /></span>
            </li>
          ))}
        </ul>
      )}
      {job.refused > Math.min(200, job.refusals.length) && <p className="small quiet">The first {Math.min(200, job.refusals.length)} are shown; <code>/api/v1/jobs/{job.id}</code> has all.</p>}
    </>
  );
}
