import { Button, Modal } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import { askPasskeyAt, registerPasskeyAt } from "~/api/passkey";
import { keepSession } from "~/api/session";
import { isTooOldForPasskey } from "~/api/problem";
import type { Session } from "~/api/types";
import { Icon } from "~/parts/Icon";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { useSignOut } from "./PersonMenu";
import { answerStepUp, useIsStepUpAsked } from "./step-up";

type Passkey = components["schemas"]["PasskeyView"];

/** Asks for the passkey before something that cannot be taken back, then lets the call go on. */
export function StepUpDialog() {
  const isAsked = useIsStepUpAsked();
  const queries = useQueryClient();
  const passkeys = useQuery({ queryKey: ["passkeys"], queryFn: () => api.get<readonly Passkey[]>("/api/v1/session/passkeys"), enabled: isAsked });
  const confirm = useMutation({
    mutationFn: () => askPasskeyAt<Session>("/api/v1/session/step-up/start", "/api/v1/session/step-up/finish"),
    onSuccess: (session) => {
      // The session goes on under another cookie, and under another CSRF token.
      keepSession(queries, session);
      answerStepUp(true);
    },
  });
  const close = () => {
    confirm.reset();
    answerStepUp(false);
  };
  // Whoever comes by a provider or a certificate may have none (docs/sign-in.md): the browser would only say that it was cancelled.
  const hasNone = passkeys.data?.length === 0;
  return (
    <Modal opened={isAsked} onClose={close} title="Confirm that it is you" zIndex={500}>
      {hasNone ? (
        <First onClose={close} />
      ) : (
        <div className="stack">
          <p>What you are about to do weighs much: it needs your passkey, used within the last five minutes.</p>
          {confirm.error && <ProblemPanel error={confirm.error} compact />}
          <div className="row">
            <Button data-autofocus loading={confirm.isPending} leftSection={<Icon name="key" />} onClick={() => confirm.mutate()}>
              Use passkey
            </Button>
            <Button variant="default" onClick={close}>Not now</Button>
          </div>
        </div>
      )}
    </Modal>
  );
}

/** The first passkey of somebody who came in by another way; then it is asked for as any. */
function First({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => registerPasskeyAt<unknown>("/api/v1/session/passkeys/start", "/api/v1/session/passkeys/finish", "Passkey"),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["passkeys"] }),
  });
  const signOut = useSignOut();
  const leave = () => {
    onClose();
    signOut.mutate();
  };
  return (
    <div className="stack">
      <p>What you are about to do weighs much: it needs a passkey, and you have none, since you came in by another way. Make one on this device; then use it.</p>
      {make.error && <ProblemPanel error={make.error} compact />}
      <div className="row">
        {isTooOldForPasskey(make.error) ? (
          <Button onClick={leave}>Sign out</Button>
        ) : (
          <Button data-autofocus loading={make.isPending} leftSection={<Icon name="key" />} onClick={() => make.mutate()}>Make a passkey</Button>
        )}
        <Button variant="default" onClick={onClose}>Not now</Button>
      </div>
    </div>
  );
}
