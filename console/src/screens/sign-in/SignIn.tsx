// The door: passkey first, then what this hospital has set up, then the way back for those who lost theirs.
import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, certainly } from "~/api/client";
import { askPasskeyAt } from "~/api/passkey";
import { keepSession } from "~/api/session";
import type { Session, Ways } from "~/api/types";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Door } from "./Door";
import { ownPath } from "./next";

export function SignIn() {
  const next = ownPath(useSearch({ from: "/sign-in", select: (search) => search.next }));
  const ways = useQuery({ queryKey: ["sign-in"], queryFn: () => api.get<Ways>("/api/v1/sign-in"), staleTime: 60_000 });
  const enter = useEnter(next);
  const passkey = useMutation({
    mutationFn: () => askPasskeyAt<Session>("/api/v1/sign-in/passkey/start", "/api/v1/sign-in/passkey/finish"),
    onSuccess: enter,
  });
  const certificate = useMutation({
    mutationFn: async () => certainly(await api.post<Session>("/api/v1/sign-in/certificate")),
    onSuccess: enter,
  });
  const [isLost, setLost] = useState(false);
  const offered = ways.data;
  const has = { oidc: offered?.oidc ?? [], certificate: offered?.certificate ?? false };
  return (
    <Door title="Sign in to Ward" about="The hospital's certificate authority">
      {offered?.first_administrator && (
        <p className="small">
          Nobody can sign in yet. The first administrator opens the one-time link that <code>ward serve</code> printed on the machine's terminal.
        </p>
      )}
      {offered?.passkeys === false && (
        <p className="small">Passkeys need a name: this Ward is reached by an address. Open it by the name that <code>ward.toml</code> has.</p>
      )}
      {ways.error && <ProblemPanel error={ways.error} onRetry={() => void ways.refetch()} compact />}
      {(passkey.error ?? certificate.error) && <ProblemPanel error={passkey.error ?? certificate.error} compact />}
      {offered?.passkeys !== false && (
        <Button size="md" fullWidth leftSection={<Icon name="key" />} loading={passkey.isPending} onClick={() => passkey.mutate()}>
          Sign in with a passkey
        </Button>
      )}
      {(has.oidc.length > 0 || has.certificate) && <p className="door-or">or</p>}
      {has.oidc.map((provider) => (
        <Button key={provider.name} component="a" variant="default" fullWidth href={`/auth/oidc/${encodeURIComponent(provider.name)}/start?next=${encodeURIComponent(next)}`}>
          <Name text={provider.label} most={60} />
        </Button>
      ))}
      {has.certificate && (
        <Button variant="default" fullWidth leftSection={<Icon name="certificate" />} loading={certificate.isPending} onClick={() => certificate.mutate()}>
          Use the certificate of this browser
        </Button>
      )}
      {isLost ? <Recovery onSignedIn={enter} /> : <Button variant="subtle" onClick={() => setLost(true)}>I lost my passkey</Button>}
      {offered?.contact && <p className="small">Ask: <Name text={offered.contact} most={200} /></p>}
    </Door>
  );
}

/** Takes the session over and goes where the person wanted to. */
function useEnter(next: string): (session: Session) => Promise<void> {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  return async (session) => {
    queries.clear();
    keepSession(queries, session);
    if (session.purpose === "enrol" || session.via === "recovery") await navigate({ to: "/welcome" });
    else router.history.push(next);
  };
}

function Recovery({ onSignedIn }: { readonly onSignedIn: (session: Session) => Promise<void> }) {
  const [person, setPerson] = useState("");
  const [code, setCode] = useState("");
  const recover = useMutation({
    mutationFn: async () => certainly(await api.post<Session>("/api/v1/sign-in/recovery", { body: { person, code } })),
    onSuccess: onSignedIn,
  });
  return (
    <form
      className="stack"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        recover.mutate();
      }}
    >
      <p className="small">A recovery code lets you in once; register a new passkey then. Without a code, the help desk sends you a one-time link.</p>
      <TextInput label="Your id" value={person} required autoComplete="username" maxLength={64} onChange={(event) => setPerson(event.currentTarget.value)} data-autofocus />
      <TextInput label="Recovery code" value={code} required autoComplete="one-time-code" maxLength={100} onChange={(event) => setCode(event.currentTarget.value)} />
      {recover.error && <ProblemPanel error={recover.error} compact />}
      <Button type="submit" variant="default" loading={recover.isPending}>Use the code</Button>
    </form>
  );
}
