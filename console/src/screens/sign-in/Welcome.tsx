// A one-time link was opened: one passkey is made, recovery codes are shown once, and the house is open.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, certainly } from "~/api/client";
import { askPasskeyAt, registerPasskeyAt } from "~/api/passkey";
import { keepSession, useSession } from "~/api/session";
import type { Session } from "~/api/types";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Door } from "./Door";

/** A link works once, and React may make this screen twice on the way. */
let sent: string | undefined;

export function Welcome() {
  const token = useLocation({ select: (location) => /^\/?welcome\/(.+)$/.exec(location.hash)?.[1] });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const known = useSession();
  const [kept, setKept] = useState<Session>();
  const accept = useMutation({
    mutationFn: async (link: string) => certainly(await api.post<Session>("/api/v1/sign-in/invitation", { body: { token: link } })),
    onSuccess: async (session) => {
      keepSession(queries, session);
      setKept(session);
      // The link is used up; it need not stand in the address and the history.
      await navigate({ to: "/welcome", hash: "", replace: true });
    },
  });
  const send = accept.mutate;
  useEffect(() => {
    if (token === undefined || sent === token) return;
    sent = token;
    send(token);
  }, [token, send]);
  const session = kept ?? (token === undefined ? known : undefined);
  if (accept.error) {
    return (
      <Door title="This link does not open the door" about="One-time links work once, and not for long">
        <ProblemPanel error={accept.error} compact />
        <p className="small">Ask whoever sent it for another: <code>ward person invite ID</code>, or on the machine itself, start <code>ward serve</code> again.</p>
        <Link to="/sign-in">To the sign-in</Link>
      </Door>
    );
  }
  if (session === undefined) {
    return (
      <Door title="Welcome" about="Opening the link">
        {token === undefined ? <p>Open the one-time link that you were given, or <Link to="/sign-in">sign in</Link>.</p> : <p role="status">One moment…</p>}
      </Door>
    );
  }
  return <Register session={session} />;
}

function Register({ session }: { readonly session: Session }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const make = useMutation({
    mutationFn: () => registerPasskeyAt<unknown>("/api/v1/session/passkeys/start", "/api/v1/session/passkeys/finish", name.trim() || "Passkey"),
  });
  const enter = useMutation({
    mutationFn: () => askPasskeyAt<Session>("/api/v1/sign-in/passkey/start", "/api/v1/sign-in/passkey/finish"),
    onSuccess: (entered) => {
      queries.clear();
      keepSession(queries, entered);
    },
  });
  const codes = useMutation({
    mutationFn: async () => certainly(await api.post<{ codes: readonly string[] }>("/api/v1/session/recovery-codes")),
  });
  if (codes.data) {
    return (
      <Door title="Recovery codes" about="Each lets you in once if your passkey is lost. They are shown this once.">
        <ul className="door-codes">{codes.data.codes.map((code) => <li key={code}>{code}</li>)}</ul>
        <div className="row">
          <Button variant="default" leftSection={<Icon name="print" />} onClick={() => window.print()}>Print them</Button>
          <Button onClick={() => void navigate({ to: "/" })}>I keep them safe</Button>
        </div>
      </Door>
    );
  }
  if (enter.isSuccess) {
    return (
      <Door title="You are in" about="One thing more, for the day your device breaks">
        {codes.error && <ProblemPanel error={codes.error} compact />}
        <Button fullWidth loading={codes.isPending} onClick={() => codes.mutate()}>Make recovery codes</Button>
        <Button variant="subtle" onClick={() => void navigate({ to: "/" })}>Later: the help desk can send me a link</Button>
      </Door>
    );
  }
  if (make.isSuccess) {
    return (
      <Door title="Your passkey is made" about="Use it once to sign in; that is how it will be every day">
        {enter.error && <ProblemPanel error={enter.error} compact />}
        <Button size="md" fullWidth leftSection={<Icon name="key" />} loading={enter.isPending} onClick={() => enter.mutate()}>Sign in with it</Button>
      </Door>
    );
  }
  return (
    <Door title="Make your passkey" about="It replaces a password: your device proves that it is you, by fingerprint, face or PIN">
      <p>Signed in as <strong><Name text={session.person.name} most={80} /></strong> (<Name text={session.person.id} most={64} />).</p>
      <TextInput label="Name of this passkey" description="So that you know it in the list: where it lives" placeholder="Work laptop" maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      {make.error && <ProblemPanel error={make.error} compact />}
      <Button size="md" fullWidth leftSection={<Icon name="key" />} loading={make.isPending} onClick={() => make.mutate()}>Make a passkey</Button>
    </Door>
  );
}
