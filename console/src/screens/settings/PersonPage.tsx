// One person: what they may, how they come in, and what can be done about it.
import { Button, CopyButton, Modal, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import { useMay, useSession } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Page } from "~/parts/Page";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { type Draft, drafts, GrantEditor, GrantList, readDrafts } from "./Grants";
import { PersonState, splitWords } from "./People";
import { SessionTable } from "./Sessions";
import type { ListedSession, Person } from "./types";
import "./settings.css";

type Doing = "edit" | "invite" | "suspend" | "resume" | "leave";

export function PersonPage() {
  const { id } = useParams({ from: "/shell/settings/people/$id" });
  const asOf = useAsOf();
  const person = useQuery({ queryKey: ["people", id, asOf], queryFn: () => api.get<Person>("/api/v1/people/{id}", { path: { id }, query: { as_of: asOf } }) });
  const mayManage = useMay("manage-people");
  const mayRecover = useMay("recover-sign-in");
  const isPast = asOf !== undefined;
  const isUnknownThen = isPast && person.error !== null && asProblem(person.error).problem.status === 404;
  const isSelf = useSession()?.person.id === id;
  const [doing, setDoing] = useState<Doing>();
  const known = person.data;
  const button = (what: Doing, label: string) => <Button key={what} variant="default" onClick={() => setDoing(what)}>{label}</Button>;
  const actions: ReactNode[] = [];
  if (known !== undefined && !isPast && known.state !== "left") {
    if (mayRecover && known.state === "active") actions.push(button("invite", "Invite…"));
    // Nobody changes their own grants, and the server says so.
    if (mayManage && !isSelf) actions.push(button("edit", "Change…"), known.state === "active" ? button("suspend", "Suspend…") : button("resume", "Take back…"), button("leave", "Has left…"));
  }
  return (
    <Page title={known?.name ?? id} heading={<Name text={known?.name ?? id} most={80} />} about={<Link to="/settings" search={{ tab: "people" }}>All people</Link>} actions={actions.length > 0 ? actions : undefined}>
      {isUnknownThen && <Empty icon="clock" title="They were not written down then">Choose a later instant, or go back to now.</Empty>}
      {person.error && !isUnknownThen && <ProblemPanel error={person.error} onRetry={() => void person.refetch()} />}
      {person.isPending && <div className="settings-ghost" role="status" aria-label="Reading the person" />}
      {known && (
        <div className="settings-columns">
          <div className="stack">
            <Panel title="Who and what" actions={<PersonState state={known.state} />}>
              <Facts
                items={[
                  ["Id", <Name key="i" text={known.id} mono />],
                  ["Address", <Name key="e" text={known.email} none="none" />],
                  ["Own roles", <GrantList key="g" grants={known.grants} />],
                  ["Groups", <Name key="o" text={known.groups.join(", ")} none="none" />],
                  ...(known.claimed_groups.length === 0 ? [] : [["By the provider", <Name key="c" text={known.claimed_groups.join(", ")} />] as const]),
                  ["In all", <GrantList key="x" grants={known.effective} none="may do nothing" />],
                  ["Linked to", known.links.length === 0 ? <span key="l" className="quiet">no provider</span> : <span key="l">{known.links.map((link) => <span key={link.provider}><Name text={link.provider} /> as <Name text={link.subject} mono most={60} /> </span>)}</span>],
                  ["Written down", <span key="w"><Time at={known.created} /> by <Name text={known.created_by} most={60} /></span>],
                ]}
              />
            </Panel>
            {mayRecover && (isPast ? <Panel title="Signed in"><p className="quiet">Where they were signed in is not kept. The access review says when they last signed in.</p></Panel> : <Sessions id={id} />)}
          </div>
          <Panel title="What they may do" note={isPast ? `${known.actions.length} actions, by the roles of now` : `${known.actions.length} actions`}>
            {known.actions.length === 0 ? <p className="quiet">Nothing.</p> : <ul className="settings-actions">{known.actions.map((action) => <li key={action}><code>{action}</code></li>)}</ul>}
          </Panel>
        </div>
      )}
      {known && doing === "edit" && <Edit person={known} onClose={() => setDoing(undefined)} />}
      {known && doing === "invite" && <Invite person={known} onClose={() => setDoing(undefined)} />}
      {known && (doing === "suspend" || doing === "resume" || doing === "leave") && <Turn person={known} what={doing} onClose={() => setDoing(undefined)} />}
    </Page>
  );
}

function Sessions({ id }: { readonly id: string }) {
  const sessions = useQuery({ queryKey: ["sessions", id], queryFn: () => api.get<readonly ListedSession[]>("/api/v1/sessions", { query: { person: id } }) });
  return (
    <Panel title="Signed in" flush>
      {sessions.error && <ProblemPanel error={sessions.error} compact />}
      {sessions.data?.length === 0 && <Empty icon="person" title="Nowhere at the moment" />}
      {sessions.data && sessions.data.length > 0 && <SessionTable sessions={sessions.data} />}
    </Panel>
  );
}

interface DoProps {
  readonly person: Person;
  readonly onClose: () => void;
}

function Edit({ person, onClose }: DoProps) {
  const [name, setName] = useState(person.name);
  const [email, setEmail] = useState(person.email ?? "");
  const [groups, setGroups] = useState(person.groups.join(", "));
  const [lines, setLines] = useState<readonly Draft[]>(() => drafts(person.grants));
  const grants = readDrafts(lines);
  const save = useAct({
    call: () =>
      api.put<Person>("/api/v1/people/{id}", {
        path: { id: person.id },
        body: { version: person.version, person: { name, email: email === "" ? null : email, grants: grants ?? [], groups: splitWords(groups) } },
      }),
    done: () => "Changed; it counts at their next request",
    touches: ["people", "groups"],
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={`Change ${person.id}`}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); save.mutate(undefined); }}>
        <TextInput label="Name" required maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="Address" type="email" maxLength={200} value={email} onChange={(event) => setEmail(event.currentTarget.value)} />
        <TextInput label="Groups" description="Names with commas between" maxLength={400} value={groups} onChange={(event) => setGroups(event.currentTarget.value)} />
        <GrantEditor lines={lines} onChange={setLines} />
        {save.error && <ProblemPanel error={save.error} compact />}
        <div className="row">
          <Button type="submit" loading={save.isPending} disabled={grants === undefined}>Save</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}

interface Invited {
  readonly url: string;
  /** Unix milliseconds. */
  readonly expires: number;
}

function Invite({ person, onClose }: DoProps) {
  const [invited, setInvited] = useState<Invited>();
  const invite = useAct({
    call: () => api.post<Invited>("/api/v1/invitations", { body: { person: person.id } }),
    done: () => "The link is made",
    touches: ["people"],
    then: setInvited,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={`Invite ${person.id}`} closeOnClickOutside={invited === undefined}>
      <div className="stack">
        {invited === undefined ? (
          <>
            <p>A link by which <strong><Name text={person.name} most={80} /></strong> registers a passkey, once. Links of before end. Hand it over by a way that only they read.</p>
            {invite.error && <ProblemPanel error={invite.error} compact />}
            <div className="row">
              <Button data-autofocus loading={invite.isPending} onClick={() => invite.mutate(undefined)}>Make the link</Button>
              <Button variant="default" onClick={onClose}>Not now</Button>
            </div>
          </>
        ) : (
          <>
            <p><strong>It is shown this once.</strong> It works once, until <Time at={invited.expires} as="minute" />.</p>
            <p className="settings-link mono"><Name text={invited.url} most={400} /></p>
            <div className="row">
              <CopyButton value={invited.url}>{({ copied, copy }) => <Button onClick={copy}>{copied ? "Copied" : "Copy the link"}</Button>}</CopyButton>
              <Button variant="default" onClick={onClose}>Close</Button>
            </div>
          </>
        )}
      </div>
    </Modal>
  );
}

const TURNS = {
  suspend: { title: "Suspend", text: "They are let in no more for now. Their sessions and tokens end at once.", done: "Suspended" },
  resume: { title: "Take back", text: "They may come in again. Tokens that ended stay ended.", done: "Taken back" },
  leave: { title: "Has left", text: "For good: their sessions and tokens end, and nobody comes in under this id again. What they did stays in the log.", done: "They have left" },
} as const;

function Turn({ person, what, onClose }: DoProps & { readonly what: keyof typeof TURNS }) {
  const [reason, setReason] = useState("");
  const turn = useAct({
    call: () => api.post<Person>(`/api/v1/people/{id}/${what}`, { path: { id: person.id }, body: { reason } }),
    done: () => TURNS[what].done,
    touches: ["people", "sessions", "tokens"],
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} title={`${TURNS[what].title}: ${person.id}`}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); turn.mutate(undefined); }}>
        <p>{TURNS[what].text}</p>
        <Textarea label="Why" description="Stands in the log" required maxLength={400} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
        {turn.error && <ProblemPanel error={turn.error} compact />}
        <div className="row">
          <Button type="submit" {...(what === "resume" ? {} : { color: "red" })} loading={turn.isPending}>{TURNS[what].title}</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}
