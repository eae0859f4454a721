// Everything that people said about a request, in the order of time; and a line to say something oneself.
import { Button, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { lines } from "./lines";
import { OPEN, type Request } from "./types";

export function Said({ request, asker, isPast }: { readonly request: Request; readonly asker: string; readonly isPast: boolean }) {
  const mayDecide = useMay("approve-requests");
  const mayComment = !isPast && (request.own || mayDecide) && OPEN.has(request.state);
  return (
    <>
      <ol className="requests-list requests-said">
        {lines(request, asker).map((line, index) => (
          <li key={index}>
            <span className="small nowrap"><Time at={line.at} as="minute" /></span>
            <span>
              <strong><Name text={line.who} most={60} /></strong> {line.tone === undefined ? line.did : <Status tone={line.tone}>{line.did}</Status>}
              {line.text !== undefined && <span className="requests-words"><Name text={line.text} most={2000} /></span>}
            </span>
          </li>
        ))}
      </ol>
      {mayComment && <Comment request={request} />}
    </>
  );
}

function Comment({ request }: { readonly request: Request }) {
  const [text, setText] = useState("");
  const [ticket, setTicket] = useState(false);
  const say = useAct<undefined, Request>({
    call: () => api.post<Request>("/api/v1/requests/{id}/comments", { path: { id: request.id }, body: ticket ? { text, evidence: [{ kind: "note", text }] } : { text } }),
    done: () => "Said",
    touches: ["requests"],
    then: () => {
      setText("");
      setTicket(false);
    },
  });
  return (
    <form
      className="requests-comment"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        say.mutate(undefined);
      }}
    >
      <Textarea label="Say something" description="Everybody who sees the request reads it" required maxLength={4000} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      {say.error && <ProblemPanel error={say.error} compact />}
      <div className="row wide">
        <label className="row small"><input type="checkbox" checked={ticket} onChange={(event) => setTicket(event.currentTarget.checked)} /> it supports the request</label>
        <Button type="submit" variant="default" loading={say.isPending} disabled={text.trim() === ""}>Say it</Button>
      </div>
    </form>
  );
}
