// Everybody who may come in, who has left too.
import { Button, Modal, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status, type Tone } from "~/parts/Status";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { type Draft, GrantEditor, readDrafts } from "./Grants";
import { limitsText } from "./grant-text";
import type { Person } from "./types";

const STATES: Readonly<Record<string, Tone>> = { active: "ok", suspended: "high", left: "none" };

export function PersonState({ state }: { readonly state: string }) {
  return <Status tone={STATES[state] ?? "none"}>{state}</Status>;
}

const roles = (person: Person) => [...new Set(person.effective.map((grant) => grant.role))].join(", ");

const COLUMNS: readonly Column<Person>[] = [
  {
    id: "name",
    header: "Name",
    width: 180,
    grow: 2,
    lead: true,
    cell: (person) => <Link to="/settings/people/$id" params={{ id: person.id }} className="settings-name" tabIndex={-1}><Name text={person.name} line /></Link>,
    text: (person) => person.name,
    compare: (a, b) => a.name.localeCompare(b.name, "en"),
  },
  { id: "id", header: "Id", width: 140, grow: 1, cell: (person) => <Name text={person.id} mono line />, text: (person) => person.id, compare: (a, b) => (a.id < b.id ? -1 : 1) },
  { id: "state", header: "State", width: 110, cell: (person) => <PersonState state={person.state} />, text: (person) => person.state, compare: (a, b) => a.state.localeCompare(b.state, "en") },
  { id: "roles", header: "Roles", width: 200, grow: 2, cell: (person) => <Name text={roles(person)} line none="none" />, text: roles },
  { id: "groups", header: "Groups", width: 140, grow: 1, cell: (person) => <Name text={[...person.groups, ...person.claimed_groups].join(", ")} line none="none" />, text: (person) => [...person.groups, ...person.claimed_groups].join(", ") },
  { id: "email", header: "Address", width: 200, grow: 1, cell: (person) => <Name text={person.email} line />, text: (person) => person.email ?? "" },
  { id: "limits", header: "Limits", width: 200, hidden: true, cell: (person) => <Name text={person.effective.map((grant) => limitsText(grant.scope)).filter(Boolean).join("; ")} line none="everywhere" />, text: (person) => person.effective.map((grant) => limitsText(grant.scope)).filter(Boolean).join("; ") },
];

export function People() {
  const asOf = useAsOf();
  const people = useQuery({ queryKey: ["people", asOf], queryFn: () => api.get<readonly Person[]>("/api/v1/people", { query: { as_of: asOf } }) });
  const mayManage = useMay("manage-people");
  const [sort, setSort] = useState("name");
  const [isAdding, setAdding] = useState(false);
  const navigate = useNavigate();
  return (
    <>
      <DataTable
        id="people"
        label="People"
        columns={COLUMNS}
        rows={people.data ?? []}
        rowKey={(person) => person.id}
        href={(person) => `/settings/people/${person.id}`}
        isLoading={people.isPending}
        error={people.error}
        onRetry={() => void people.refetch()}
        sort={sort}
        onSort={setSort}
        tools={mayManage && asOf === undefined ? <Button size="compact-sm" onClick={() => setAdding(true)}>Write somebody down</Button> : undefined}
        empty={asOf !== undefined ? <Empty icon="clock" title="Nobody was written down then" /> : <Empty icon="person" title="Nobody is written down yet" command="ward person create ada --name 'Ada Lovelace' --group biomed">People come in by a one-time link, or by a provider whose groups give roles.</Empty>}
      />
      {isAdding && <AddPerson onClose={() => setAdding(false)} onDone={(person) => void navigate({ to: "/settings/people/$id", params: { id: person.id } })} />}
    </>
  );
}

export function splitWords(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function AddPerson({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: (person: Person) => void }) {
  const [id, setId] = useState("");
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [groups, setGroups] = useState("");
  const [lines, setLines] = useState<readonly Draft[]>([]);
  const grants = readDrafts(lines);
  const add = useAct({
    call: () => api.post<Person>("/api/v1/people", { body: { id, name, email: email === "" ? null : email, grants: grants ?? [], groups: splitWords(groups) } }),
    done: () => `${name} is written down. Invite them next.`,
    touches: ["people"],
    then: onDone,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title="Write somebody down">
      <form className="stack" onSubmit={(event) => { event.preventDefault(); add.mutate(undefined); }}>
        <TextInput label="Name" required maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
        <TextInput label="Id" description="Small letters, digits, . _ -: it stands in the log, and never changes" required maxLength={64} value={id} onChange={(event) => setId(event.currentTarget.value)} />
        <TextInput label="Address" description="For a provider that links by address" type="email" maxLength={200} value={email} onChange={(event) => setEmail(event.currentTarget.value)} />
        <TextInput label="Groups" description="Names with commas between" maxLength={400} value={groups} onChange={(event) => setGroups(event.currentTarget.value)} />
        <GrantEditor lines={lines} onChange={setLines} />
        {add.error && <ProblemPanel error={add.error} compact />}
        <div className="row">
          <Button type="submit" loading={add.isPending} disabled={grants === undefined}>Write down</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}
