// The hierarchy, drawn: each authority a card under the one that signed it, with the life of its certificate as a line.
import { Link } from "@tanstack/react-router";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { daysLeft } from "~/text/time";
import { freshness, worst } from "./freshness";
import { STATES } from "./states";
import type { Branch } from "./tree";
import type { Authority, Issuer, RevocationList } from "./types";

interface TreeProps {
  readonly branches: readonly Branch[];
  readonly issuers: readonly Issuer[];
  /** Nothing where it is not known how fresh they were. */
  readonly lists: readonly RevocationList[] | undefined;
  /** Unix milliseconds. */
  readonly then: number;
}

export function Tree(props: TreeProps) {
  return (
    <div className="tree-scroll" tabIndex={0} role="region" aria-label="Hierarchy">
      <Branches {...props} />
    </div>
  );
}

function Branches({ branches, ...known }: TreeProps) {
  return (
    <ul className="tree">
      {branches.map((branch) => (
        <li key={branch.authority.name}>
          <Card authority={branch.authority} {...known} />
          {branch.below.length > 0 && <Branches branches={branch.below} {...known} />}
        </li>
      ))}
    </ul>
  );
}

function Card({ authority, issuers, lists, then }: Omit<TreeProps, "branches"> & { readonly authority: Authority }) {
  const issuer = issuers.find((each) => each.id === authority.issuer);
  const [tone, word] = STATES[authority.state] ?? ["none", authority.state];
  return (
    <article className={authority.parent === null ? "tree-card tree-root" : "tree-card"}>
      <header>
        <Icon name="authority" />
        <h3>
          {issuer === undefined ? <Name text={authority.title} most={80} /> : <Link to="/inventory/$sha256" params={{ sha256: issuer.sha256 }}><Name text={authority.title} most={80} /></Link>}
        </h3>
      </header>
      <p className="row">
        <Status tone={tone}>{word}</Status>
        {issuer && <code className="small">{issuer.algorithm}</code>}
        {authority.generations.length > 1 && <span className="quiet small">generation {authority.generations.length}</span>}
      </p>
      {issuer && <Life issuer={issuer} then={then} />}
      {lists && <Freshness own={lists.filter((list) => authority.generations.includes(list.issuer))} />}
    </article>
  );
}

function Freshness({ own }: { readonly own: readonly RevocationList[] }) {
  const fresh = worst(own.map((list) => freshness(Date.parse(list.this_update), Date.parse(list.next_update))));
  return (
    <p className="small row">
      {fresh === undefined ? <span className="quiet">publishes no list of its own</span> : <><Status tone={fresh.tone}>lists {fresh.word}</Status> <span className="quiet">{own.reduce((sum, list) => sum + (list.list === "complete" ? list.entries : 0), 0).toLocaleString("en")} revoked</span></>}
    </p>
  );
}

function Life({ issuer, then }: { readonly issuer: Issuer; readonly then: number }) {
  const [from, to] = [Date.parse(issuer.not_before), Date.parse(issuer.not_after)];
  const left = daysLeft(to, then);
  const at = Math.max(0, Math.min(100, ((then - from) / Math.max(1, to - from)) * 100));
  return (
    <div className="tree-life">
      <span className="tree-line" role="img" aria-label={`${Math.round(at)} percent of its life has passed`}><span style={{ width: `${at}%` }} /></span>
      <span className="small">
        {left < 0 ? <Status tone="critical">expired</Status> : left < 365 ? <Status tone="high">{left} days left</Status> : <>until <Time at={to} /></>}
      </span>
    </div>
  );
}
