// Who, what, to what, how it ended, from when to when. Each is part of the address, so that a link shows the same.
import { Button, Select, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Icon } from "~/parts/Icon";
import { type Filters, hasFilter } from "./events";

/** The words before the dot, as the house's actions have them (docs/audit.md). */
const ACTIONS = ["access", "acme", "agent", "approval-policy", "asset", "authority", "bundle", "certificate", "crl", "enrolment", "finding", "flow", "group", "invitation", "job", "key", "log", "passkey", "person", "profile", "recovery", "request", "scan", "segment", "server", "session", "token"];

interface FilterProps {
  readonly filters: Filters;
  readonly onFilter: (filters: Partial<Filters>) => void;
}

export function Filter({ filters, onFilter }: FilterProps) {
  const [now, setNow] = useState(filters);
  const text = (name: keyof Filters) => ({
    value: now[name],
    maxLength: 200,
    onChange: (event: { currentTarget: { value: string } }) => setNow({ ...now, [name]: event.currentTarget.value }),
  });
  return (
    <form
      className="audit-filter"
      role="search"
      aria-label="Events"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        onFilter(now);
      }}
    >
      <TextInput label="Who" placeholder="part of an id" {...text("who")} />
      <TextInput label="What" placeholder="certificate.issue" list="audit-actions" {...text("action")} />
      <datalist id="audit-actions">{ACTIONS.map((action) => <option key={action} value={action} />)}</datalist>
      <TextInput label="To what" placeholder="kind or id" {...text("object")} />
      <Select
        label="Outcome"
        data={[{ value: "", label: "Any" }, { value: "done", label: "Done" }, { value: "refused", label: "Refused" }, { value: "failed", label: "Failed" }]}
        value={now.outcome}
        onChange={(outcome) => setNow({ ...now, outcome: outcome ?? "" })}
      />
      <TextInput label="From" placeholder="2026-03-01" {...text("since")} />
      <TextInput label="To" placeholder="2026-03-31" {...text("until")} />
      <div className="audit-filter-do">
        <Button type="submit" leftSection={<Icon name="search" size={14} />}>Show</Button>
        {hasFilter(filters) && <Button variant="default" onClick={() => onFilter({})}>All</Button>}
      </div>
    </form>
  );
}
