// Spares of one asset: prepared ahead, asked for, released once to whoever asked after somebody else has agreed.
import { Button, CopyButton, Modal, NumberInput, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status, type Tone } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { type AssetRecord, type Spare, titleOf } from "./types";

type Profile = components["schemas"]["ProfileView"];
type Waiting = components["schemas"]["RequestShape"];
type Released = components["schemas"]["Released"];

const TONES: Readonly<Record<Spare["state"], Tone>> = { preparing: "low", prepared: "ok", released: "medium", ended: "none" };

interface SparesProps {
  readonly spares: readonly Spare[];
  readonly mayChange: boolean;
}

export function Spares({ spares, mayChange }: SparesProps) {
  if (spares.length === 0) return <p className="assets-none">No spare is prepared. For a device that must not wait, prepare one: it stays sealed until two people take it out.</p>;
  return (
    <ul className="assets-list">
      {spares.map((spare) => (
        <li key={spare.id}>
          <Status tone={TONES[spare.state]}>{spare.state}</Status>
          <span>
            <Link to="/inventory/$sha256" params={{ sha256: spare.sha256 }}><Name text={spare.profile} /></Link>
            <span className="quiet small">
              {spare.state === "released" && spare.released_at !== null ? <> to <Name text={spare.technician} none="nobody named" /> <Time at={spare.released_at} as="relative" /></> : <> unused until <Time at={spare.unused_after} /></>}
              {spare.note !== "" && <>, <Name text={spare.note} most={120} /></>}
            </span>
          </span>
          <SpareActions spare={spare} mayChange={mayChange} />
        </li>
      ))}
    </ul>
  );
}

/** Stays when the spare is out, since its window has by then what is shown once. */
function SpareActions({ spare, mayChange }: { readonly spare: Spare; readonly mayChange: boolean }) {
  const isThere = spare.state === "prepared";
  const [open, setOpen] = useState<"ask" | "release">();
  const request = useQuery({
    queryKey: ["requests", spare.request],
    queryFn: () => api.get<Waiting>("/api/v1/requests/{id}", { path: { id: spare.request ?? "" } }),
    enabled: isThere && spare.request !== null,
    retry: false,
  });
  const state = request.data?.state;
  const isOpen = state === "pending" || state === "approved";
  return (
    <span className="row">
      {isThere && spare.request !== null && isOpen && <Link to="/requests/$id" params={{ id: spare.request }} className="small">{state === "approved" ? "approved" : "waits for approval"}</Link>}
      {isThere && mayChange && !isOpen && <Button variant="default" size="compact-sm" onClick={() => setOpen("ask")}>Ask for it…</Button>}
      {isThere && mayChange && state === "approved" && request.data?.own === true && <Button size="compact-sm" onClick={() => setOpen("release")}>Take it out…</Button>}
      {open === "ask" && <AskDialog spare={spare} onClose={() => setOpen(undefined)} />}
      {open === "release" && <ReleaseDialog spare={spare} onClose={() => setOpen(undefined)} />}
    </span>
  );
}

function AskDialog({ spare, onClose }: { readonly spare: Spare; readonly onClose: () => void }) {
  const [technician, setTechnician] = useState("");
  const [reason, setReason] = useState("");
  const ask = useAct<undefined, unknown>({
    call: async () => {
      const outcome = await api.post<{ readonly id?: string }>("/api/v1/spares/{id}/request", { path: { id: spare.id }, body: { technician, reason } });
      // The request itself is the answer.
      return outcome.done && outcome.data.id !== undefined ? { done: false, request: outcome.data.id, url: undefined } : outcome;
    },
    done: () => "Asked for",
    touches: ["spares", "requests", "overview"],
  });
  return (
    <Modal opened onClose={onClose} title="Ask for this spare">
      <form
        className="stack"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          ask.mutate(undefined);
        }}
      >
        <section className="assets-effect" aria-label="What it will do">
          <h3>What it will do</h3>
          <ul>
            <li>Somebody else is asked to agree; an approval is good for seven days.</li>
            <li>Then you, and only you, take it out, once: a file with the key and a password.</li>
            <li>Nothing changes on the device until the file is put in.</li>
          </ul>
        </section>
        <TextInput label="Who puts it in" required data-autofocus maxLength={200} value={technician} onChange={(event) => setTechnician(event.currentTarget.value)} />
        <Textarea label="Why" required maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        {ask.error && <ProblemPanel error={ask.error} compact />}
        {ask.data?.done === false && <p role="status">It waits as <Link to="/requests/$id" params={{ id: ask.data.request }}>request {ask.data.request}</Link>.</p>}
        <div className="row">
          <Button type="submit" loading={ask.isPending} disabled={ask.data !== undefined}>Ask</Button>
          <Button variant="default" onClick={onClose}>{ask.data === undefined ? "Leave it" : "Close"}</Button>
        </div>
      </form>
    </Modal>
  );
}

function ReleaseDialog({ spare, onClose }: { readonly spare: Spare; readonly onClose: () => void }) {
  const [released, setReleased] = useState<Released>();
  const release = useAct<undefined, Released>({
    call: () => api.post<Released>("/api/v1/spares/{id}/release", { path: { id: spare.id } }),
    done: () => "The spare is out",
    then: setReleased,
    touches: ["spares", "requests", "assets"],
  });
  if (released !== undefined) return <ReleasedResult released={released} name={spare.id} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title="Take this spare out">
      <div className="stack">
        <section className="assets-effect" aria-label="What it will do">
          <h3>What it will do</h3>
          <ul>
            <li>You get the file with certificate and key, and its password. Both are shown this once; Ward keeps neither.</li>
            <li>If they are lost on the way, the spare has to be revoked and another one prepared.</li>
            <li>You are asked for your passkey.</li>
          </ul>
        </section>
        {release.error && <ProblemPanel error={release.error} compact />}
        <div className="row">
          <Button loading={release.isPending} onClick={() => release.mutate(undefined)}>Take it out</Button>
          <Button variant="default" data-autofocus onClick={onClose}>Leave it</Button>
        </div>
      </div>
    </Modal>
  );
}

function ReleasedResult({ released, name, onClose }: { readonly released: Released; readonly name: string; readonly onClose: () => void }) {
  const save = () => {
    const bytes = Uint8Array.from(atob(released.pkcs12), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/x-pkcs12" }));
    link.download = `${name}.p12`;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return (
    <Modal opened onClose={onClose} title="The spare is out" closeOnClickOutside={false} closeOnEscape={false}>
      <div className="stack">
        <p><strong>Both are shown this once.</strong> Take the file to the device, and the password another way.</p>
        <p><span className="quiet">Password</span> <Name text={released.password} mono /></p>
        <div className="row">
          <Button onClick={save}>Save the file (PKCS #12)</Button>
          <CopyButton value={released.password}>{({ copied, copy }) => <Button variant="default" onClick={copy}>{copied ? "Copied" : "Copy the password"}</Button>}</CopyButton>
          <Button variant="default" onClick={onClose}>I have both</Button>
        </div>
      </div>
    </Modal>
  );
}

export function PrepareDialog({ asset, onClose }: { readonly asset: AssetRecord; readonly onClose: () => void }) {
  const profiles = useQuery({ queryKey: ["profiles"], queryFn: () => api.get<readonly Profile[]>("/api/v1/profiles"), staleTime: 60_000 });
  const able = profiles.data?.filter((profile) => isForSpares(profile.rules as Rules)) ?? [];
  const [profile, setProfile] = useState<string>();
  const [days, setDays] = useState<number>(180);
  const [note, setNote] = useState("");
  const chosen = profile ?? able.find((each) => each.name === "device-ldevid")?.name ?? able[0]?.name;
  const prepare = useAct<string, Spare>({
    call: (name) => api.post<Spare>("/api/v1/spares", { body: { asset: asset.id, profile: name, unused_days: days, note } }),
    done: () => `A spare for ${titleOf(asset)} is prepared`,
    touches: ["spares", "assets", "inventory"],
    then: onClose,
  });
  return (
    <Modal opened onClose={onClose} title={`Prepare a spare for ${titleOf(asset)}`}>
      <form
        className="stack"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          if (chosen !== undefined) prepare.mutate(chosen);
        }}
      >
        <section className="assets-effect" aria-label="What it will do">
          <h3>What it will do</h3>
          <ul>
            <li>A key and a certificate for this device are made now and kept sealed; what the device holds stays as it is.</li>
            <li>To take it out needs two people. If nobody does within {days} days, it is revoked.</li>
          </ul>
        </section>
        {profiles.error && <ProblemPanel error={profiles.error} compact />}
        <Select label="Profile" data={able.map((each) => ({ value: each.name, label: each.title }))} value={chosen ?? null} onChange={(value) => setProfile(value ?? undefined)} />
        <NumberInput label="Days until it is revoked unused" min={1} max={3650} allowDecimal={false} value={days} onChange={(value) => setDays(Number(value) || 1)} />
        <TextInput label="Note" placeholder="locker 4, ICU" maxLength={200} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        {prepare.error && <ProblemPanel error={prepare.error} compact />}
        <div className="row">
          <Button type="submit" loading={prepare.isPending} disabled={chosen === undefined}>Prepare</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}

interface Rules {
  readonly class?: string;
  readonly keys?: { readonly "server-keys"?: boolean };
}

/** Profiles for devices whose keys Ward may make (docs/profiles.md). */
function isForSpares(rules: Rules): boolean {
  return rules.class === "device" && rules.keys?.["server-keys"] === true;
}
