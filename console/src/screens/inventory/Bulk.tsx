// What can be done with the certificates that are selected.
import { Button, Modal, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "~/api/client";
import { asProblem } from "~/api/problem";
import { useMay } from "~/api/session";
import type { Listed } from "~/api/types";
import { Name } from "~/parts/Name";
import { tell } from "~/parts/Notices";
import { RevokeDialog } from "../certificate/RevokeDialog";
import { canRevoke } from "../certificate/revocation";
import { shortSubject } from "./subject";

interface BulkProps {
  readonly rows: readonly Listed[];
  readonly isPast: boolean;
  readonly onDone: () => void;
}

export function Bulk({ rows, isPast, onDone }: BulkProps) {
  const mayManage = useMay("manage-inventory");
  const mayRevoke = useMay("revoke-certificate");
  const [open, setOpen] = useState<"owner" | "revoke">();
  const copy = async () => {
    await navigator.clipboard.writeText(rows.map((row) => row.sha256).join("\n"));
    tell({ kind: "done", text: `${rows.length} fingerprints are in the clipboard` });
  };
  const close = () => {
    setOpen(undefined);
    onDone();
  };
  return (
    <>
      {mayManage && !isPast && <Button variant="default" size="compact-sm" onClick={() => setOpen("owner")}>Give an owner</Button>}
      {mayRevoke && !isPast && <Button variant="default" size="compact-sm" disabled={!rows.some(canRevoke)} onClick={() => setOpen("revoke")}>Revoke…</Button>}
      <Button variant="default" size="compact-sm" onClick={() => void copy()}>Copy SHA-256</Button>
      {open === "owner" && <GiveOwner rows={rows} onClose={() => setOpen(undefined)} onDone={close} />}
      {open === "revoke" && <RevokeDialog rows={rows} onClose={close} />}
    </>
  );
}

function GiveOwner({ rows, onClose, onDone }: { readonly rows: readonly Listed[]; readonly onClose: () => void; readonly onDone: () => void }) {
  const queries = useQueryClient();
  const [owner, setOwner] = useState("");
  const give = useMutation({
    mutationFn: async () => {
      const refused: { row: Listed; text: string }[] = [];
      for (const row of rows) {
        try {
          await api.put<unknown>("/api/v1/inventory/{sha256}/owner", { path: { sha256: row.sha256 }, body: { owner } });
        } catch (error) {
          refused.push({ row, text: asProblem(error).problem.detail });
        }
      }
      return refused;
    },
    onSuccess: async (refused) => {
      await queries.invalidateQueries();
      if (refused.length > 0) return;
      tell({ kind: "done", text: `${rows.length} have an owner: ${owner}` });
      onDone();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Give ${rows.length.toLocaleString("en")} certificates an owner`}>
      <form
        className="stack"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          give.mutate();
        }}
      >
        <p className="small">Given by hand, it wins over the rules of owners, and replaces what was given by hand before. If a rule could say it, write the rule.</p>
        <TextInput label="Owner" description="Team or person that answers for them" required data-autofocus maxLength={200} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
        {give.data && give.data.length > 0 && (
          <ul className="bulk-result" role="alert">
            {give.data.map(({ row, text }) => (
              <li key={row.sha256}><strong><Name text={shortSubject(row)} most={60} /></strong> <Name text={text} /></li>
            ))}
          </ul>
        )}
        <div className="row">
          <Button type="submit" loading={give.isPending}>Give</Button>
          <Button variant="default" onClick={onClose}>Leave it</Button>
        </div>
      </form>
    </Modal>
  );
}
