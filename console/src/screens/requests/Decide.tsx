// One's own word about a request: yes, no, somebody else's; or, as whoever asked, going ahead.
import { Button, Modal, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useId, useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import { useMay } from "~/api/session";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { holder, OPEN, type Request, sortOf } from "./types";

type Person = components["schemas"]["PersonShape"];

const TOUCHES = ["requests", "overview", "assets", "spares", "inventory", "certificate", "certificates"];

export function Decide({ request, isPast }: { readonly request: Request; readonly isPast: boolean }) {
  if (isPast) return <p className="quiet">Nothing is decided in the past.</p>;
  if (request.own) return <AsAsker request={request} />;
  if (!OPEN.has(request.state) || request.state === "executing") return <Over request={request} />;
  if (request.awaits_me) return <Word request={request} />;
  return <NotMine request={request} />;
}

function Word({ request }: { readonly request: Request }) {
  const [why, setWhy] = useState("");
  const [isHanding, setHanding] = useState(false);
  const isReview = request.state === "review";
  const left = request.needed - request.approvals;
  const body = () => (why.trim() === "" ? {} : { comment: why.trim() });
  const agree = useAct<undefined, unknown>({
    call: async () => {
      const outcome = await api.post<unknown>("/api/v1/requests/{id}/approve", { path: { id: request.id }, body: body() });
      // 202 here says that others have to agree too, not that this word was held back.
      return outcome.done ? outcome : { done: true, data: undefined };
    },
    done: () => (isReview ? "Reviewed" : left > 1 ? "Agreed; others have to agree too" : "Agreed"),
    touches: TOUCHES,
  });
  const deny = useAct<undefined, Request>({
    call: () => api.post<Request>("/api/v1/requests/{id}/deny", { path: { id: request.id }, body: body() }),
    done: () => (isReview ? "Objected" : "Denied"),
    touches: TOUCHES,
  });
  const isBusy = agree.isPending || deny.isPending;
  const needsWhy = why.trim() === "";
  return (
    <div className="stack">
      <p>{effect(request, left)}</p>
      <Textarea label="Why" description={isReview ? "What you looked at" : "Needed to deny; whoever asked reads it"} maxLength={2000} value={why} onChange={(event) => setWhy(event.currentTarget.value)} />
      {agree.error && <ProblemPanel error={agree.error} compact />}
      {deny.error && <ProblemPanel error={deny.error} compact />}
      <div className="row">
        <Button leftSection={<Icon name="check" />} disabled={isBusy} loading={agree.isPending} onClick={() => agree.mutate(undefined)}>{isReview ? "It was right" : "Approve"}</Button>
        <Button color="red" variant="outline" disabled={isBusy || needsWhy} loading={deny.isPending} onClick={() => deny.mutate(undefined)}>{isReview ? "Object" : "Deny"}</Button>
        <Button variant="default" disabled={isBusy} onClick={() => setHanding(true)}>Hand on…</Button>
      </div>
      {needsWhy && <p className="small quiet">A no without a reason helps nobody: say why, then deny.</p>}
      {isHanding && <HandOn request={request} onClose={() => setHanding(false)} />}
    </div>
  );
}

function effect(request: Request, left: number): string {
  if (request.state === "review") return "It was done in an emergency. Say afterwards whether it was right.";
  if (left > 1) return `Yours is one of ${left} words that are missing.`;
  if (request.kind === "call") return request.call?.execute === "by-asker" ? "With your word whoever asked may make the change." : "With your word the change is made at once.";
  if (request.kind === "spare") return "With your word whoever asked may take the spare out, once.";
  return isDevice(request) ? "With your word the device gets its certificate when it asks again, which it does by itself." : "With your word the certificate is issued.";
}

function isDevice(request: Request): boolean {
  return sortOf(request, new Map()) === "device";
}

function HandOn({ request, onClose }: { readonly request: Request; readonly onClose: () => void }) {
  const mayRead = useMay("read-people");
  const people = useQuery({ queryKey: ["people"], queryFn: () => api.get<readonly Person[]>("/api/v1/people"), enabled: mayRead });
  const list = useId();
  const [to, setTo] = useState("");
  const hand = useAct<string, Request>({
    call: (person) => api.post<Request>("/api/v1/requests/{id}/delegate", { path: { id: request.id }, body: { to: person } }),
    done: (_, person) => `Handed to ${person}`,
    touches: TOUCHES,
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} title="Hand the decision on">
      <form
        className="stack"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          hand.mutate(to.trim());
        }}
      >
        <p>They decide in your place, and you decide about this request no more.</p>
        <TextInput label="To whom" description="The id of a person who may decide about it, and has not asked" required data-autofocus maxLength={64} list={list} value={to} onChange={(event) => setTo(event.currentTarget.value)} />
        <datalist id={list}>{people.data?.map((person) => <option key={person.id} value={person.id}>{person.name}</option>)}</datalist>
        {hand.error && <ProblemPanel error={hand.error} compact />}
        <div className="row">
          <Button type="submit" loading={hand.isPending} disabled={to.trim() === ""}>Hand on</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}

function AsAsker({ request }: { readonly request: Request }) {
  const [isEmergency, setEmergency] = useState(false);
  const execute = useAct<undefined, Request>({
    call: () => api.post<Request>("/api/v1/requests/{id}/execute", { path: { id: request.id } }),
    done: (after) => (after.state === "fulfilled" ? "Done" : "It was tried, and failed"),
    touches: TOUCHES,
  });
  const { call } = request;
  const mayMake = call?.execute === "by-asker" && request.state === "approved";
  const mayHurry = call?.emergency_allowed === true && request.state === "pending";
  return (
    <div className="stack">
      <p>{OPEN.has(request.state) ? "You asked for this: nobody decides about their own request." : "You asked for this."}</p>
      {request.state === "approved" && request.kind === "spare" && <p>It is approved. Take the spare out on the page of its asset.</p>}
      {execute.error && <ProblemPanel error={execute.error} compact />}
      <div className="row">
        {mayMake && <Button loading={execute.isPending} onClick={() => execute.mutate(undefined)}>Make the change</Button>}
        {mayHurry && <Button color="red" variant="outline" onClick={() => setEmergency(true)}>It cannot wait…</Button>}
      </div>
      {isEmergency && <Hurry request={request} onClose={() => setEmergency(false)} />}
    </div>
  );
}

function Hurry({ request, onClose }: { readonly request: Request; readonly onClose: () => void }) {
  const [reason, setReason] = useState("");
  const hurry = useAct<string, Request>({
    call: (why) => api.post<Request>("/api/v1/requests/{id}/emergency", { path: { id: request.id }, body: { reason: why } }),
    done: () => "Done. Others will look at it.",
    touches: TOUCHES,
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} title="Go ahead in an emergency">
      <form
        className="stack"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          hurry.mutate(reason.trim());
        }}
      >
        <section className="requests-effect" aria-label="What it will do">
          <h3>What it will do</h3>
          <ul>
            <li>The change is made now, without anybody's word.</li>
            <li>The log says so, with your reason, and others have to review it.</li>
          </ul>
        </section>
        <Textarea label="Why it cannot wait" required data-autofocus maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        {hurry.error && <ProblemPanel error={hurry.error} compact />}
        <div className="row">
          <Button type="submit" color="red" loading={hurry.isPending} disabled={reason.trim() === ""}>Go ahead</Button>
          <Button variant="default" onClick={onClose}>Wait</Button>
        </div>
      </form>
    </Modal>
  );
}

function Over({ request }: { readonly request: Request }) {
  const last = request.decisions.at(-1);
  return (
    <div className="stack tight">
      <p>{request.state === "expired" ? "It lapsed before enough people agreed." : "It is decided."}</p>
      {last && <p className="quiet small">The last word: <Name text={holder(last.by.id)} most={60} />, <Time at={last.at} as="minute" />.</p>}
      {request.result && <p><Link to="/inventory/$sha256" params={{ sha256: request.result }}>See the certificate</Link></p>}
    </div>
  );
}

function NotMine({ request }: { readonly request: Request }) {
  const may = useMay("approve-requests");
  if (request.state === "approved" && isDevice(request)) return <p>It is approved. The device gets its certificate when it asks again, which it does by itself.</p>;
  if (request.state === "approved") return <p className="quiet">It is approved, and whoever asked has to take the next step.</p>;
  return <p className="quiet">{may ? "It does not wait for you: you have decided or handed it on, or it is outside of what you may decide about." : "Your role decides about no requests. You see it, and that is all."}</p>;
}
