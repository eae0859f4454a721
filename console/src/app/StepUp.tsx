import { Button, Modal } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { askPasskeyAt } from "~/api/passkey";
import { keepSession } from "~/api/session";
import type { Session } from "~/api/types";
import { Icon } from "~/parts/Icon";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { answerStepUp, useIsStepUpAsked } from "./step-up";

/** Asks for the passkey before something that cannot be taken back, then lets the call go on. */
export function StepUpDialog() {
  const isAsked = useIsStepUpAsked();
  const queries = useQueryClient();
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
  return (
    <Modal opened={isAsked} onClose={close} title="Confirm that it is you" zIndex={500}>
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
    </Modal>
  );
}
