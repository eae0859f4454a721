// Bearer tokens, for programs. The secret is shown once; the server keeps its hash.
import { Button, CopyButton, Modal, MultiSelect, NumberInput, SegmentedControl, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { instantOf, useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { day } from "~/text/time";
import { useRoles } from "./Grants";
import { limitsText, readLimits } from "./grant-text";
import type { Token } from "./types";

function columns(asOf: string | undefined, onEnd: ((token: Token) => void) | undefined): readonly Column<Token>[] {
  const standing = (token: Token) => {
    if (token.revoked !== null) return "revoked";
    return token.expires !== null && token.expires < instantOf(asOf) ? "expired" : "in force";
  };
  return [
    { id: "name", header: "Holder", width: 180, grow: 2, lead: true, cell: (token) => <Name text={token.name} line />, text: (token) => token.name, compare: (a, b) => a.name.localeCompare(b.name, "en") },
    { id: "id", header: "Id", width: 130, cell: (token) => <Name text={token.id} mono line />, text: (token) => token.id },
    { id: "kind", header: "Kind", width: 86, cell: (token) => (token.person ? "person" : "machine"), text: (token) => (token.person ? "person" : "machine") },
    { id: "roles", header: "Roles", width: 150, grow: 1, cell: (token) => <Name text={token.roles.join(", ")} line />, text: (token) => token.roles.join(", ") },
    { id: "limits", header: "Where", width: 150, grow: 1, cell: (token) => <Name text={limitsText(token.scope)} line none="everywhere" />, text: (token) => limitsText(token.scope) },
    { id: "state", header: "State", width: 104, cell: (token) => <Status tone={standing(token) === "in force" ? "ok" : "none"}>{standing(token)}</Status>, text: standing, compare: (a, b) => standing(a).localeCompare(standing(b), "en") },
    { id: "expires", header: "Ends", width: 104, cell: (token) => (token.expires === null ? <span className="quiet">never</span> : <Time at={token.expires} />), text: (token) => (token.expires === null ? "" : day(token.expires)), compare: (a, b) => (a.expires ?? Infinity) - (b.expires ?? Infinity) },
    { id: "created", header: "Made", width: 104, hidden: true, cell: (token) => <Time at={token.created} />, text: (token) => day(token.created) },
    { id: "by", header: "Made by", width: 150, hidden: true, cell: (token) => <Name text={token.created_by} line />, text: (token) => token.created_by },
    ...(onEnd === undefined
      ? []
      : [{ id: "do", header: "End", width: 76, cell: (token: Token) => (standing(token) === "in force" ? <Button variant="default" size="compact-xs" aria-label={`End the token of ${token.name}`} onClick={() => onEnd(token)}>End…</Button> : null), text: () => "" }]),
  ];
}

export function Tokens() {
  const asOf = useAsOf();
  const tokens = useQuery({ queryKey: ["tokens", asOf], queryFn: () => api.get<readonly Token[]>("/api/v1/tokens", { query: { as_of: asOf } }) });
  const mayManage = useMay("manage-tokens");
  const canChange = asOf === undefined && mayManage;
  const [sort, setSort] = useState("state");
  const [isMaking, setMaking] = useState(false);
  const [ending, setEnding] = useState<Token>();
  const end = useAct({
    call: (token: Token) => api.delete<undefined>("/api/v1/tokens/{id}", { path: { id: token.id } }),
    done: () => "The token is refused from now on",
    touches: ["tokens"],
    then: () => setEnding(undefined),
  });
  return (
    <>
      <DataTable
        id="tokens"
        label="Tokens"
        columns={columns(asOf, canChange ? (token) => { end.reset(); setEnding(token); } : undefined)}
        rows={tokens.data ?? []}
        rowKey={(token) => token.id}
        isLoading={tokens.isPending}
        error={tokens.error}
        onRetry={() => void tokens.refetch()}
        sort={sort}
        onSort={setSort}
        tools={canChange ? <Button size="compact-sm" onClick={() => setMaking(true)}>Make a token</Button> : undefined}
        empty={asOf !== undefined ? <Empty icon="clock" title="There was no token then" /> : <Empty icon="key" title="There is no token yet" command="ward token create --name pipeline --role issuer --days 90 --out token">Programs use tokens: pipelines, agents, scripts. People use passkeys.</Empty>}
      />
      {isMaking && <MakeToken onClose={() => setMaking(false)} />}
      {ending && (
        <Modal opened onClose={() => setEnding(undefined)} title="End this token">
          <div className="stack">
            <p>Whatever uses the token <code>{ending.id}</code> of <strong><Name text={ending.name} most={80} /></strong> is refused within a second, everywhere.</p>
            {end.error && <ProblemPanel error={end.error} compact />}
            <div className="row">
              <Button color="red" loading={end.isPending} onClick={() => end.mutate(ending)}>End it</Button>
              <Button variant="default" data-autofocus onClick={() => setEnding(undefined)}>Keep it</Button>
            </div>
          </div>
        </Modal>
      )}
    </>
  );
}

interface Created {
  readonly id: string;
  readonly token: string;
}

function MakeToken({ onClose }: { readonly onClose: () => void }) {
  const known = useRoles();
  const [name, setName] = useState("");
  const [kind, setKind] = useState("machine");
  const [roles, setRoles] = useState<readonly string[]>(["issuer"]);
  const [limits, setLimits] = useState("");
  const [days, setDays] = useState(90);
  const [created, setCreated] = useState<Created>();
  const read = readLimits(limits);
  const make = useAct({
    call: () => api.post<Created>("/api/v1/tokens", { body: { name, person: kind === "person", roles, scope: "scope" in read ? read.scope : {}, days } }),
    done: () => "The token is made",
    touches: ["tokens"],
    then: setCreated,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title="Make a token" closeOnClickOutside={created === undefined}>
      {created === undefined ? (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); make.mutate(undefined); }}>
          <TextInput label="Holder" description="What or who uses it: letters, digits, - _ . @ +" required maxLength={64} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
          <SegmentedControl aria-label="Kind of holder" value={kind} onChange={setKind} data={[{ value: "machine", label: "A machine" }, { value: "person", label: "A person" }]} />
          <MultiSelect label="Roles" data={known.data?.map((role) => role.name) ?? [...roles]} value={[...roles]} onChange={setRoles} />
          <TextInput label="Where they count" placeholder="everywhere, or profile=server-*, name=*.icu.example.org" maxLength={1000} value={limits} error={"wrong" in read ? read.wrong : undefined} onChange={(event) => setLimits(event.currentTarget.value)} />
          <NumberInput hideControls label="Days until it ends" min={1} max={3650} value={days} onChange={(value) => setDays(Number(value) || 1)} />
          {make.error && <ProblemPanel error={make.error} compact />}
          <div className="row">
            <Button type="submit" loading={make.isPending} disabled={"wrong" in read || roles.length === 0}>Make it</Button>
            <Button variant="default" onClick={onClose}>Leave it</Button>
          </div>
        </form>
      ) : (
        <div className="stack">
          <p><strong>It is shown this once.</strong> Ward keeps its hash and nothing else. Put it where the program reads it, and nowhere else.</p>
          <p className="settings-link mono">{created.token}</p>
          <div className="row">
            <CopyButton value={created.token}>{({ copied, copy }) => <Button onClick={copy}>{copied ? "Copied" : "Copy the token"}</Button>}</CopyButton>
            <Button variant="default" onClick={onClose}>Close</Button>
          </div>
        </div>
      )}
    </Modal>
  );
}
