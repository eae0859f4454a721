// Short words about what was just done, in a corner, read out by screen readers. Problems do not go here: they stay where
// they happened.
import { useSyncExternalStore } from "react";
import { Link } from "@tanstack/react-router";
import { Icon } from "./Icon";
import { StatusShape } from "./Status";
import "./notices.css";

export interface Notice {
  readonly kind: "done" | "waiting";
  readonly text: string;
  readonly link?: { readonly to: string; readonly label: string };
}

interface Shown extends Notice {
  readonly id: number;
}

const SECONDS = 8;
let notices: readonly Shown[] = [];
let last = 0;
const watchers = new Set<() => void>();

function change(next: readonly Shown[]) {
  notices = next;
  for (const watcher of watchers) watcher();
}

export function tell(notice: Notice): void {
  last += 1;
  const id = last;
  change([...notices.slice(-3), { ...notice, id }]);
  // What waits for somebody stays until it is read.
  if (notice.kind === "done") window.setTimeout(() => dismiss(id), SECONDS * 1000);
}

function dismiss(id: number) {
  change(notices.filter((notice) => notice.id !== id));
}

export function Notices() {
  const shown = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => notices,
  );
  return (
    <div className="notices" role="status" aria-live="polite">
      {shown.map((notice) => (
        <div key={notice.id} className="notice">
          <StatusShape tone={notice.kind === "done" ? "ok" : "medium"} size={13} />
          <span>{notice.text}</span>
          {notice.link && <Link to={notice.link.to}>{notice.link.label}</Link>}
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(notice.id)}><Icon name="close" size={12} /></button>
        </div>
      ))}
    </div>
  );
}
