// What has to wait until others agree (docs/approvals.md).
import { Button, Checkbox, Modal, NumberInput, Select, TextInput } from "@mantine/core";
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
import { Status } from "~/parts/Status";
import { useRoles } from "./Grants";
import { splitWords } from "./People";
import { Table } from "./Table";
import type { Policy } from "./types";

export function Policies() {
  const asOf = useAsOf();
  const policies = useQuery({ queryKey: ["policies", asOf], queryFn: () => api.get<readonly Policy[]>("/api/v1/approval-policies", { query: { as_of: asOf } }) });
  const mayManage = useMay("manage-policies");
  const canChange = asOf === undefined && mayManage;
  const [open, setOpen] = useState<Policy | "new">();
  const remove = useAct({
    call: (policy: Policy) => api.delete<undefined>("/api/v1/approval-policies/{name}", { path: { name: policy.name } }),
    done: (_, policy) => `Policy ${policy.name} is gone; what it caught still waits`,
    touches: ["policies"],
  });
  return (
    <Panel title="Approval policies" actions={canChange ? <Button size="compact-sm" onClick={() => setOpen("new")}>Make a policy</Button> : undefined} flush>
      {(policies.error ?? remove.error) && <ProblemPanel error={policies.error ?? remove.error} compact onRetry={policies.error ? () => void policies.refetch() : undefined} />}
      {policies.isPending && <div className="settings-ghost" role="status" aria-label="Reading policies" />}
      {policies.data?.length === 0 && asOf !== undefined && <Empty icon="clock" title="Nothing had to wait then" />}
      {policies.data?.length === 0 && asOf === undefined && <Empty icon="request" title="Nothing has to wait" command="ward policy create revocation --action revoke-certificate --needed 1 --hours 24 --emergency">A policy holds a call back until others have agreed. Nobody agrees to their own, whichever session they use.</Empty>}
      {policies.data && policies.data.length > 0 && (
        <Table
          label="Approval policies"
          heads={["Policy", "Catches", "Needs", "Within", "Emergency", ...(canChange ? [""] : [])]}
          rows={policies.data.map((policy) => ({
            key: policy.name,
            cells: [
              <span key="n"><strong><Name text={policy.name} /></strong><br /><span className="quiet small"><Name text={policy.label} most={80} none="" /></span></span>,
              <span key="c"><code>{policy.action}</code>{policy.asker && <> <span className="quiet">by</span> {policy.asker}</>}{policy.profile && <> <span className="quiet">profile</span> <Name text={policy.profile} /></>}{policy.segment && <> <span className="quiet">segment</span> <Name text={policy.segment} /></>}</span>,
              <span key="w">{policy.needed} of {policy.approvers && policy.approvers.length > 0 ? policy.approvers.join(", ") : "whoever may approve"}</span>,
              `${policy.hours} hours`,
              policy.emergency ? <Status key="e" tone="medium">allowed, reviewed after</Status> : <span key="e" className="quiet">no</span>,
              ...(canChange
                ? [
                    <span key="d" className="row">
                      <Button variant="default" size="compact-sm" aria-label={`Change ${policy.name}`} onClick={() => setOpen(policy)}>Change</Button>
                      <Button variant="default" size="compact-sm" aria-label={`End ${policy.name}`} loading={remove.isPending && remove.variables.name === policy.name} onClick={() => remove.mutate(policy)}>End</Button>
                    </span>,
                  ]
                : []),
            ],
          }))}
        />
      )}
      {open !== undefined && <PolicyDialog policy={open === "new" ? undefined : open} onClose={() => setOpen(undefined)} />}
    </Panel>
  );
}

function PolicyDialog({ policy, onClose }: { readonly policy: Policy | undefined; readonly onClose: () => void }) {
  const roles = useRoles();
  const [form, setForm] = useState({
    name: policy?.name ?? "",
    label: policy?.label ?? "",
    action: policy?.action ?? "revoke-certificate",
    asker: policy?.asker ?? "",
    profile: policy?.profile ?? "",
    segment: policy?.segment ?? "",
    needed: policy?.needed ?? 1,
    hours: policy?.hours ?? 24,
    approvers: policy?.approvers?.join(", ") ?? "",
    emergency: policy?.emergency ?? false,
    execute: policy?.execute ?? "at-approval",
  });
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
  const names = roles.data?.map((role) => role.name) ?? [];
  // The administrator may do everything, so its actions are all there are; what only reads, or decides, cannot be held back.
  const holds = (action: string) => !action.startsWith("read-") && action !== "review-access" && action !== "approve-requests";
  const actions = (roles.data?.find((role) => role.name === "admin")?.actions ?? []).filter(holds);
  const some = (name: "asker" | "profile" | "segment") => (form[name].trim() === "" ? {} : { [name]: form[name].trim() });
  const body = () => ({
    name: form.name,
    action: form.action,
    needed: form.needed,
    hours: form.hours,
    emergency: form.emergency,
    approvers: splitWords(form.approvers),
    label: form.label,
    ...some("asker"),
    ...some("profile"),
    ...some("segment"),
    execute: form.execute,
  });
  const save = useAct({
    call: () =>
      policy === undefined
        ? api.post<Policy>("/api/v1/approval-policies", { body: body() })
        : api.put<Policy>("/api/v1/approval-policies/{name}", { path: { name: policy.name }, body: { version: policy.version ?? 0, policy: body() } }),
    done: () => `Policy ${form.name} holds from now on`,
    touches: ["policies"],
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} size="lg" title={policy === undefined ? "Make a policy" : `Change ${policy.name}`}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); save.mutate(undefined); }}>
        <TextInput label="Name" required maxLength={64} disabled={policy !== undefined} value={form.name} onChange={(event) => set({ name: event.currentTarget.value })} />
        <TextInput label="What it is for" maxLength={200} value={form.label} onChange={(event) => set({ label: event.currentTarget.value })} />
        <div className="settings-pair">
          <Select label="Action that waits" searchable data={[...new Set([form.action, ...actions])]} value={form.action} onChange={(action) => set({ action: action ?? form.action })} />
          <Select label="Asked for by" data={[{ value: "", label: "whoever" }, ...names]} value={form.asker} onChange={(asker) => set({ asker: asker ?? "" })} />
          <TextInput label="Only profile" placeholder="server-*" maxLength={100} value={form.profile} onChange={(event) => set({ profile: event.currentTarget.value })} />
          <TextInput label="Only segment" placeholder="icu-*" maxLength={100} value={form.segment} onChange={(event) => set({ segment: event.currentTarget.value })} />
          <NumberInput hideControls label="Others who have to agree" min={1} max={8} value={form.needed} onChange={(value) => set({ needed: Number(value) || 1 })} />
          <NumberInput hideControls label="Hours until it expires" min={1} max={744} value={form.hours} onChange={(value) => set({ hours: Number(value) || 24 })} />
        </div>
        <TextInput label="Who may agree" description={`Roles with commas between: ${names.join(", ")}. Empty: whoever may approve`} maxLength={300} value={form.approvers} onChange={(event) => set({ approvers: event.currentTarget.value })} />
        <Select label="Once they agree" data={[{ value: "at-approval", label: "the server makes the call at once" }, { value: "by-asker", label: "whoever asked makes it, when they want" }]} value={form.execute} onChange={(execute) => set({ execute: execute ?? form.execute })} />
        <Checkbox label="In an emergency the asker may go ahead; others review it afterwards" checked={form.emergency} onChange={(event) => set({ emergency: event.currentTarget.checked })} />
        {save.error && <ProblemPanel error={save.error} compact />}
        <div className="row">
          <Button type="submit" loading={save.isPending}>Save</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}
