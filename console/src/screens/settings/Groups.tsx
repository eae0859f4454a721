// Groups: roles that several people have together, or that a provider's groups give.
import { Button, Modal, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { type Draft, drafts, GrantEditor, GrantList, readDrafts } from "./Grants";
import { Table } from "./Table";
import type { Group } from "./types";

export function Groups() {
  const asOf = useAsOf();
  const groups = useQuery({ queryKey: ["groups", asOf], queryFn: () => api.get<readonly Group[]>("/api/v1/groups", { query: { as_of: asOf } }) });
  const mayManage = useMay("manage-people");
  const canChange = asOf === undefined && mayManage;
  const [open, setOpen] = useState<Group | "new">();
  const remove = useAct({
    call: (group: Group) => api.delete<undefined>("/api/v1/groups/{name}", { path: { name: group.name } }),
    done: (_, group) => `Group ${group.name} is gone`,
    touches: ["groups", "people"],
  });
  return (
    <Panel title="Groups" actions={canChange ? <Button size="compact-sm" onClick={() => setOpen("new")}>Make a group</Button> : undefined} flush>
      {(groups.error ?? remove.error) && <ProblemPanel error={groups.error ?? remove.error} compact onRetry={groups.error ? () => void groups.refetch() : undefined} />}
      {groups.isPending && <div className="settings-ghost" role="status" aria-label="Reading groups" />}
      {groups.data?.length === 0 && asOf !== undefined && <Empty icon="clock" title="There was no group then" />}
      {groups.data?.length === 0 && asOf === undefined && <Empty icon="person" title="There is no group yet" command="ward group create biomed --grant 'clinical-engineering@segment=icu-*'">A group gives its roles to everybody in it. With claims, whoever the provider says is in it comes in with them.</Empty>}
      {groups.data && groups.data.length > 0 && (
        <Table
          label="Groups"
          heads={["Group", "Roles", "In it", "Provider’s groups", ...(canChange ? [""] : [])]}
          rows={groups.data.map((group) => ({
            key: group.name,
            cells: [
              <span key="n"><strong><Name text={group.name} /></strong><br /><span className="quiet small"><Name text={group.label} most={80} none="" /></span></span>,
              <GrantList key="g" grants={group.grants} none="none" />,
              <Name key="m" text={group.members.join(", ")} most={160} none="nobody" />,
              <Name key="c" text={group.claims.join(", ")} most={120} none="none" />,
              ...(canChange
                ? [
                    <span key="d" className="row">
                      <Button variant="default" size="compact-sm" aria-label={`Change ${group.name}`} onClick={() => setOpen(group)}>Change</Button>
                      {group.members.length === 0 && <Button variant="default" size="compact-sm" aria-label={`End ${group.name}`} loading={remove.isPending && remove.variables.name === group.name} onClick={() => remove.mutate(group)}>End</Button>}
                    </span>,
                  ]
                : []),
            ],
          }))}
        />
      )}
      {open !== undefined && <GroupDialog group={open === "new" ? undefined : open} onClose={() => setOpen(undefined)} />}
    </Panel>
  );
}

function GroupDialog({ group, onClose }: { readonly group: Group | undefined; readonly onClose: () => void }) {
  const [name, setName] = useState(group?.name ?? "");
  const [label, setLabel] = useState(group?.label ?? "");
  const [claims, setClaims] = useState(group?.claims.join(", ") ?? "");
  const [lines, setLines] = useState<readonly Draft[]>(() => drafts(group?.grants ?? []));
  const grants = readDrafts(lines);
  const body = { name, label, claims: claims.split(",").map((each) => each.trim()).filter((each) => each !== ""), grants: grants ?? [] };
  const save = useAct({
    call: () =>
      group === undefined ? api.post<Group>("/api/v1/groups", { body }) : api.put<Group>("/api/v1/groups/{name}", { path: { name: group.name }, body: { version: group.version, group: body } }),
    done: () => (group === undefined ? `Group ${name} is made` : `Group ${name} is changed; it counts at the next request`),
    touches: ["groups", "people"],
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={group === undefined ? "Make a group" : `Change ${group.name}`}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); save.mutate(undefined); }}>
        <TextInput label="Name" required maxLength={64} disabled={group !== undefined} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label="What it is" maxLength={200} value={label} onChange={(event) => setLabel(event.currentTarget.value)} />
        <TextInput label="Provider’s groups" description="As the provider spells them, with commas between" maxLength={1000} value={claims} onChange={(event) => setClaims(event.currentTarget.value)} />
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
