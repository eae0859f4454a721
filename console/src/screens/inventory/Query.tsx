// The search with its mistakes shown where they are, and its language beside it.
import { Button, Popover } from "@mantine/core";
import { type FormEvent, useId, useState } from "react";
import { asSearch } from "~/app/search-text";
import { Icon } from "~/parts/Icon";

interface QueryProps {
  readonly text: string;
  readonly view: string | undefined;
  /** Column of a mistake, from 1. */
  readonly mistake: number | undefined;
  readonly onSearch: (text: string) => void;
}

const EXAMPLES: readonly (readonly [search: string, means: string])[] = [
  ["expires < 30d and not expired", "what ends within thirty days"],
  ["phi and segment = icu", "health information, in one segment"],
  ["unowned and places > 0", "in use, and nobody answers for it"],
  ["address in 10.20.0.0/16 and tls < 1.2", "old TLS in one network"],
  ["finding.severity >= high", "something is badly wrong with it"],
  ["bits < 2048 or signature ~ sha1", "weak keys and signatures"],
  ['"pacs 7"', "subject, issuer or a name contains it"],
  ["owner in (biomed, radiology) and risk >= high", "two teams' urgent ones"],
  ["asset.kind = device and asset.state = retired", "held by devices that are gone"],
  ["expires < 30d as of 2026-06-30", "as it was then"],
];

export function Query({ text, view, mistake, onSearch }: QueryProps) {
  const [draft, setDraft] = useState(text);
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSearch(asSearch(draft));
  };
  return (
    <form className="query" onSubmit={submit}>
      <label htmlFor={id} className="sr-only">Search the inventory</label>
      <div className="query-field">
        <Icon name="search" />
        <input
          id={id}
          className="mono"
          value={draft}
          placeholder={view ? `view ${view}; type to search instead` : "expires < 30d and phi"}
          maxLength={4096}
          spellCheck={false}
          autoComplete="off"
          aria-invalid={mistake !== undefined}
          aria-describedby={mistake === undefined ? undefined : `${id}-mistake`}
          onChange={(event) => setDraft(event.currentTarget.value)}
        />
        {draft !== "" && (
          <button type="button" className="query-clear" aria-label="Clear the search" onClick={() => onSearch("")}><Icon name="close" size={12} /></button>
        )}
      </div>
      <Button type="submit">Search</Button>
      <Help onChoose={onSearch} />
      {mistake !== undefined && (
        <p id={`${id}-mistake`} className="query-mistake mono">
          <span>{[...text].slice(Math.max(0, mistake - 25), mistake - 1).join("")}</span>
          <mark>{[...text].slice(mistake - 1, mistake + 20).join("") || "(here it ends)"}</mark>
          <span className="sr-only">is where it cannot be read, column {mistake}</span>
        </p>
      )}
    </form>
  );
}

function Help({ onChoose }: { readonly onChoose: (text: string) => void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Popover opened={isOpen} onChange={setOpen} position="bottom-end" width={520} trapFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="help" />} onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>Language</Button>
      </Popover.Target>
      <Popover.Dropdown className="query-help">
        <h2>How to search</h2>
        <p>Tests with <code>and</code>, <code>or</code>, <code>not</code> and parentheses. <code>=</code> is, <code>~</code> contains, <code>&lt;</code> and <code>&gt;</code> compare; times count from now (<code>30d</code>, <code>1y</code>, <code>7d ago</code>). Plain words look into subject, issuer and names.</p>
        <ul>
          {EXAMPLES.map(([search, means]) => (
            <li key={search}>
              <button type="button" onClick={() => { setOpen(false); onChoose(search); }}><code>{search}</code></button>
              <span className="quiet small">{means}</span>
            </li>
          ))}
        </ul>
        <p className="small quiet">Fields: subject, issuer, name, serial, sha256, expires, starts, expired, lifetime, key, bits, shared-key, signature, ca, self-signed, unknown-issuer, origin, authority, revoked, first-seen, last-seen, how, places, asset, owner, unowned, segment, site, vendor, environment, tag, criticality, phi, patient-facing, risk, findings; of places: port, address, sni, starttls, host, path, tls, suite, outcome; asset.kind, asset.state, asset.department; finding, finding.severity, finding.opened.</p>
      </Popover.Dropdown>
    </Popover>
  );
}
