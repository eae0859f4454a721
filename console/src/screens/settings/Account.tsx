// My own way in: passkeys, recovery codes, sessions.
import { Button, Modal, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "~/api/act";
import { api, certainly } from "~/api/client";
import { registerPasskeyAt } from "~/api/passkey";
import { useSession } from "~/api/session";
import { useAsOf } from "~/app/as-of";
import { Empty } from "~/parts/Empty";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { tell } from "~/parts/Notices";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { download } from "~/parts/table/csv";
import { GrantList } from "./Grants";
import { SessionTable } from "./Sessions";
import { Table } from "./Table";
import type { Grant, ListedSession, Passkey } from "./types";

export function Account() {
  return useAsOf() === undefined ? <Own /> : <Empty icon="clock" title="Your own way in is shown as of now only">Who could come in then, and with which roles, stands under People and in the access review.</Empty>;
}

function Own() {
  const session = useSession();
  const sessions = useQuery({ queryKey: ["sessions", "own"], queryFn: () => api.get<readonly ListedSession[]>("/api/v1/sessions") });
  const endOthers = useAct({
    call: () => api.delete<{ ended: number }>("/api/v1/sessions"),
    done: (data) => `${data.ended} ${data.ended === 1 ? "session is" : "sessions are"} ended; this one goes on`,
    touches: ["sessions"],
  });
  return (
    <div className="settings-columns">
      <div className="stack">
        <Passkeys />
        <Panel
          title="Where I am signed in"
          note={sessions.data && `${sessions.data.length} at the moment`}
          actions={sessions.data && sessions.data.length > 1 ? <Button variant="default" size="compact-sm" loading={endOthers.isPending} onClick={() => endOthers.mutate(undefined)}>Sign out everywhere else</Button> : undefined}
          flush
        >
          {sessions.error && <ProblemPanel error={sessions.error} onRetry={() => void sessions.refetch()} compact />}
          {endOthers.error && <ProblemPanel error={endOthers.error} compact />}
          {sessions.isPending && <div className="settings-ghost" role="status" aria-label="Reading sessions" />}
          {sessions.data && <SessionTable sessions={sessions.data} />}
        </Panel>
      </div>
      <div className="stack">
        <Panel title="Who I am">
          {session && (
            <Facts
              items={[
                ["Id", <Name key="i" text={session.person.id} mono />],
                ["Name", <Name key="n" text={session.person.name} />],
                ["Address", <Name key="e" text={session.person.email} none="none" />],
                ["Roles", <GrantList key="g" grants={session.grants as readonly Grant[]} none="none" />],
                ["Signed in by", <span key="v">{session.via}, <Time at={session.since} as="relative" /></span>],
                ["Ends", <span key="x"><Time at={session.expires} as="minute" />, or <Time at={session.idle_expires} as="relative" /> without use</span>],
              ]}
            />
          )}
        </Panel>
        <Recovery />
      </div>
    </div>
  );
}

function Passkeys() {
  const queries = useQueryClient();
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Passkey>();
  const passkeys = useQuery({ queryKey: ["passkeys"], queryFn: () => api.get<readonly Passkey[]>("/api/v1/session/passkeys") });
  const remove = useAct({
    call: (passkey: Passkey) => api.delete<undefined>("/api/v1/session/passkeys/{id}", { path: { id: passkey.id } }),
    done: () => "The passkey lets nobody in any more",
    touches: ["passkeys", "session"],
    then: () => setLeaving(undefined),
  });
  return (
    <Panel title="Passkeys" note="each lets you in; have two" actions={<Button size="compact-sm" leftSection={<Icon name="key" size={13} />} onClick={() => setAdding(true)}>Add a passkey</Button>} flush>
      {passkeys.error && <ProblemPanel error={passkeys.error} onRetry={() => void passkeys.refetch()} compact />}
      {passkeys.isPending && <div className="settings-ghost" role="status" aria-label="Reading passkeys" />}
      {passkeys.data?.length === 0 && <Empty icon="key" title="You have no passkey yet">You came in by another way. With a passkey you can confirm what weighs much, and come in when the provider is away.</Empty>}
      {passkeys.data !== undefined && passkeys.data.length > 0 && (
        <Table
          label="Passkeys"
          heads={["Name", "Made", "Last used", "Kind", ""]}
          rows={passkeys.data.map((passkey) => ({
            key: passkey.id,
            cells: [
              <strong key="n"><Name text={passkey.name} most={80} /></strong>,
              <Time key="c" at={passkey.created} />,
              passkey.used ? <Time key="u" at={passkey.used} as="relative" /> : <span key="u" className="quiet">never</span>,
              passkey.backup_eligible ? "may be copied between devices" : "stays on its device",
              <Button key="r" variant="default" size="compact-sm" aria-label={`Remove ${passkey.name}`} onClick={() => { remove.reset(); setLeaving(passkey); }}>Remove</Button>,
            ],
          }))}
        />
      )}
      {isAdding && <AddPasskey onClose={() => setAdding(false)} onDone={() => { setAdding(false); void queries.invalidateQueries({ queryKey: ["passkeys"] }); void queries.invalidateQueries({ queryKey: ["session"] }); }} />}
      {leaving && (
        <Modal opened onClose={() => setLeaving(undefined)} title="Remove this passkey">
          <div className="stack">
            <p><strong><Name text={leaving.name} most={80} /></strong> will let nobody in any more.{passkeys.data?.length === 1 && " It is your only one: without it you need a recovery code, a provider or a link from the help desk."}</p>
            {remove.error && <ProblemPanel error={remove.error} compact />}
            <div className="row">
              <Button color="red" loading={remove.isPending} onClick={() => remove.mutate(leaving)}>Remove</Button>
              <Button variant="default" data-autofocus onClick={() => setLeaving(undefined)}>Keep it</Button>
            </div>
          </div>
        </Modal>
      )}
    </Panel>
  );
}

function AddPasskey({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const [name, setName] = useState("");
  const add = useMutation({
    mutationFn: () => registerPasskeyAt<unknown>("/api/v1/session/passkeys/start", "/api/v1/session/passkeys/finish", name.trim() || "Passkey"),
    onSuccess: () => {
      tell({ kind: "done", text: "The passkey is added" });
      onDone();
    },
  });
  return (
    <Modal opened onClose={onClose} title="Add a passkey">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <TextInput label="Name of this passkey" description="So that you know it in the list: where it lives" placeholder="Security key in the safe" maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
        {add.error && <ProblemPanel error={add.error} compact />}
        <div className="row">
          <Button type="submit" leftSection={<Icon name="key" />} loading={add.isPending}>Make it</Button>
          <Button variant="default" onClick={onClose}>Not now</Button>
        </div>
      </form>
    </Modal>
  );
}

function Recovery() {
  const left = useQuery({ queryKey: ["recovery-codes"], queryFn: () => api.get<{ left: number; made?: number | null }>("/api/v1/session/recovery-codes") });
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: async () => certainly(await api.post<{ codes: readonly string[] }>("/api/v1/session/recovery-codes")),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["recovery-codes"] }),
  });
  const count = left.data?.left;
  return (
    <Panel title="Recovery codes" note={count !== undefined && <Status tone={count === 0 ? "high" : count < 4 ? "medium" : "ok"}>{count} left</Status>}>
      <div className="stack">
        {left.error && <ProblemPanel error={left.error} onRetry={() => void left.refetch()} compact />}
        <p>Each lets you in once, for the day when your device breaks.{left.data?.made ? <> These were made on <Time at={left.data.made} />.</> : " You have none."}</p>
        {make.error && <ProblemPanel error={make.error} compact />}
        <div className="row"><Button variant="default" loading={make.isPending} onClick={() => make.mutate()}>{count === undefined || count === 0 ? "Make recovery codes" : "Make new ones, end the old"}</Button></div>
      </div>
      {make.data && (
        <Modal opened onClose={() => make.reset()} title="Your recovery codes" closeOnClickOutside={false}>
          <div className="stack">
            <p><strong>They are shown this once.</strong> Print them, or write them into a safe that is not this computer. The codes of before are worth nothing now.</p>
            <ul className="settings-codes">{make.data.codes.map((code) => <li key={code}>{code}</li>)}</ul>
            <div className="row">
              <Button variant="default" leftSection={<Icon name="print" />} onClick={() => window.print()}>Print</Button>
              <Button variant="default" leftSection={<Icon name="export" />} onClick={() => download("ward-recovery-codes.txt", `${make.data.codes.join("\n")}\n`)}>Save as a file</Button>
              <Button data-autofocus onClick={() => make.reset()}>I keep them safe</Button>
            </div>
          </div>
        </Modal>
      )}
    </Panel>
  );
}
