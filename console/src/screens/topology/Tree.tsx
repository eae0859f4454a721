// The house as a tree (WAI-ARIA 1.2 §tree): arrows open, close and walk, Enter leads to what it is. Levels are read when they
// are opened, a hundred at a time, so a large house costs no more than what is looked at.
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useState } from "react";
import { asProblem } from "~/api/problem";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { Status, Weight } from "~/parts/Status";
import { daysLeft } from "~/text/time";
import { type Node, target, useLevel } from "./nodes";

interface TreeProps {
  readonly roots: readonly Node[];
  readonly onLook: (node: Node) => void;
}

export function Tree({ roots, onLook }: TreeProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [current, setCurrent] = useState(roots[0]?.id);
  const navigate = useNavigate();
  const turn = (id: string, isOpen: boolean) => setOpen((old) => { const next = new Set(old); if (isOpen) next.add(id); else next.delete(id); return next; });
  const shared: Shared = { open, current, turn, look: (node) => { setCurrent(node.id); onLook(node); }, lead: (node) => void navigate(target(node) as never) };
  return (
    <ul role="tree" aria-label="Sites, segments, devices, services and certificates" className="topology-tree" onKeyDown={walk}>
      {roots.map((node) => <Branch key={node.id} node={node} path={node.id} level={1} shared={shared} />)}
    </ul>
  );
}

/** Up, Down, Home and End go through what is seen, in the order of the page. */
function walk(event: KeyboardEvent<HTMLUListElement>) {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>('[role="treeitem"]')];
  const at = items.indexOf(event.target as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  items[Math.max(0, Math.min(items.length - 1, to))]?.focus();
}

interface Shared {
  readonly open: ReadonlySet<string>;
  readonly current: string | undefined;
  readonly turn: (id: string, isOpen: boolean) => void;
  readonly look: (node: Node) => void;
  readonly lead: (node: Node) => void;
}

function Branch({ node, path, level, shared }: { readonly node: Node; readonly path: string; readonly level: number; readonly shared: Shared }) {
  const isOpen = node.expandable && shared.open.has(path);
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.key === "Enter") shared.lead(node);
    else if (event.key === "ArrowRight" && node.expandable) shared.turn(path, true);
    else if (event.key === "ArrowLeft" && isOpen) shared.turn(path, false);
    else if (event.key === "ArrowLeft") event.currentTarget.closest('[role="group"]')?.parentElement?.querySelector<HTMLElement>('[role="treeitem"]')?.focus();
    else if (event.key === " " && node.expandable) shared.turn(path, !isOpen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <li role="none">
      <div
        role="treeitem"
        aria-level={level}
        aria-expanded={node.expandable ? isOpen : undefined}
        aria-selected={shared.current === node.id}
        tabIndex={shared.current === node.id ? 0 : -1}
        className="topology-row"
        onKeyDown={onKeyDown}
        onFocus={() => shared.look(node)}
        onClick={() => { shared.look(node); if (node.expandable) shared.turn(path, !isOpen); }}
        onDoubleClick={() => shared.lead(node)}
      >
        <span className="topology-turn" aria-hidden="true">{node.expandable && <Icon name={isOpen ? "down" : "right"} size={12} />}</span>
        <Icon name={node.kind === "asset" ? "asset" : node.certificate ? "certificate" : node.kind === "segment" ? "discovery" : "topology"} size={14} />
        <span className="topology-label"><Name text={node.label} line /></span>
        {node.certificate && <Ends seconds={node.certificate.expires} />}
        {node.phi && <span className="topology-phi">PHI</span>}
        {node.certificates > 0 && !node.certificate && <span className="quiet small number">{node.certificates.toLocaleString("en")}</span>}
        {node.worst !== "none" && <Weight value={node.worst} />}
      </div>
      {isOpen && <Level under={node.id} path={path} level={level + 1} shared={shared} />}
    </li>
  );
}

function Ends({ seconds }: { readonly seconds: number }) {
  const left = daysLeft(seconds * 1000);
  return left < 0 ? <Status tone="critical">expired</Status> : <span className="quiet small nowrap">{left} days</span>;
}

function Level({ under, path, level, shared }: { readonly under: string; readonly path: string; readonly level: number; readonly shared: Shared }) {
  const pages = useLevel(under);
  const nodes = pages.data?.pages.flatMap((page) => page.nodes) ?? [];
  return (
    <ul role="group" className="topology-level">
      {nodes.map((node) => <Branch key={node.id} node={node} path={`${path} ${node.id}`} level={level} shared={shared} />)}
      {pages.isPending && <li role="none" className="topology-note">Reading…</li>}
      {pages.error && <li role="none" className="topology-note"><span role="alert"><Name text={asProblem(pages.error).problem.detail} most={300} /></span></li>}
      {pages.isSuccess && nodes.length === 0 && <li role="none" className="topology-note">Nothing is known below it.</li>}
      {pages.hasNextPage && <li role="none" className="topology-note"><button type="button" className="topology-more" onClick={() => void pages.fetchNextPage()} disabled={pages.isFetchingNextPage}>Show more</button></li>}
    </ul>
  );
}
