// What can be done with the certificates that are selected, or with all that a search finds: looked at first, then done as a
// job of the server (docs/bulk.md).
import { Button } from "@mantine/core";
import { useState } from "react";
import { useMayWhole } from "~/api/session";
import type { Listed } from "~/api/types";
import { tell } from "~/parts/Notices";
import { BulkOwner, BulkRevoke, BulkTag } from "./BulkDialogs";
import type { Which } from "./bulk-api";
import "./bulk.css";

interface BulkProps {
  readonly rows: readonly Listed[];
  /** The search whose rows these are; none where there is nothing to widen the selection to. */
  readonly search: string | undefined;
  /** All that are loaded are selected, and there are more. */
  readonly canWiden: boolean;
  readonly isPast: boolean;
  readonly onDone: () => void;
}

export function Bulk({ rows, search, canWiden, isPast, onDone }: BulkProps) {
  const mayManage = useMayWhole("manage-inventory");
  const mayRevoke = useMayWhole("revoke-certificate");
  const [open, setOpen] = useState<"owner" | "revoke" | "tag">();
  const [isAll, setAll] = useState(false);
  const which: Which = isAll && search !== undefined ? { search } : { ids: rows.map((row) => row.sha256) };
  const copy = async () => {
    await navigator.clipboard.writeText(rows.map((row) => row.sha256).join("\n"));
    tell({ kind: "done", text: `${rows.length} fingerprints are in the clipboard` });
  };
  const dialog = { which, onClose: () => setOpen(undefined), onDone: () => { setOpen(undefined); onDone(); } };
  return (
    <>
      {canWiden && search !== undefined && (
        <label className="bulk-all">
          <input type="checkbox" checked={isAll} onChange={(event) => setAll(event.currentTarget.checked)} /> all that the search finds
        </label>
      )}
      {mayManage && !isPast && <Button variant="default" size="compact-sm" onClick={() => setOpen("owner")}>Give an owner…</Button>}
      {mayManage && !isPast && <Button variant="default" size="compact-sm" onClick={() => setOpen("tag")}>Tag…</Button>}
      {mayRevoke && !isPast && <Button variant="default" size="compact-sm" onClick={() => setOpen("revoke")}>Revoke…</Button>}
      <Button variant="default" size="compact-sm" onClick={() => void copy()}>Copy SHA-256</Button>
      {open === "owner" && <BulkOwner {...dialog} />}
      {open === "tag" && <BulkTag {...dialog} />}
      {open === "revoke" && <BulkRevoke {...dialog} />}
    </>
  );
}
