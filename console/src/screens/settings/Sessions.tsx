import { Button } from "@mantine/core";
import { Fragment } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { visibleText } from "~/text/visible";
import { Table } from "./Table";
import type { ListedSession } from "./types";

/** Sessions of somebody, each with a way to end it. */
export function SessionTable({ sessions }: { readonly sessions: readonly ListedSession[] }) {
  const end = useAct({
    call: (session: ListedSession) => api.delete<undefined>("/api/v1/sessions/{id}", { path: { id: session.id } }),
    done: () => "The session is ended",
    touches: ["sessions", "session"],
  });
  return (
    <>
      {end.error && <ProblemPanel error={end.error} compact />}
      <Table
        label="Sessions"
        heads={["From", "With", "By", "Since", "Last used", ""]}
        rows={sessions.map((session) => ({
          key: session.id,
          cells: [
            <Source key="s" address={session.source} />,
            <span key="c" className="settings-client" title={visibleText(session.client, 200)}><Name text={session.client} line none="unknown" /></span>,
            session.via,
            <Time key="t" at={session.since} as="relative" />,
            <Time key="u" at={session.seen} as="relative" />,
            session.current ? <Status key="e" tone="ok">this one</Status> : <Button key="e" variant="default" size="compact-sm" loading={end.isPending && end.variables.id === session.id} aria-label={`End the session from ${session.source}`} onClick={() => end.mutate(session)}>End</Button>,
          ],
        }))}
      />
    </>
  );
}

/** An address, which breaks between its groups and not within one. */
function Source({ address }: { readonly address: string }) {
  return (
    <span className="settings-source">
      {address.slice(0, 60).split(/(?<=:)/).map((group, at) => <Fragment key={at}><Name text={group} mono /><wbr /></Fragment>)}
    </span>
  );
}
