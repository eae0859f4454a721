// Profiles in force: what may be issued, by whom, with whose approval.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { DataTable } from "~/parts/table/DataTable";
import type { Column } from "~/parts/table/types";
import { rulesOf } from "./rules";
import type { ProfileView } from "./types";

const by = (of: (profile: ProfileView) => string) => (a: ProfileView, b: ProfileView) => of(a).localeCompare(of(b), "en", { numeric: true });

function text(id: string, header: string, width: number, of: (profile: ProfileView) => string, more: Partial<Column<ProfileView>> = {}): Column<ProfileView> {
  return { id, header, width, cell: (profile) => <Name text={of(profile)} line />, text: of, compare: by(of), ...more };
}

const COLUMNS: readonly Column<ProfileView>[] = [
  text("name", "Profile", 190, (profile) => profile.name, {
    grow: 1,
    lead: true,
    cell: (profile) => <Link to="/authorities" search={{ profile: profile.name }} className="authorities-profile" tabIndex={-1}><Name text={profile.name} line /></Link>,
  }),
  text("title", "For", 220, (profile) => profile.title, { grow: 2 }),
  text("class", "Class", 110, (profile) => rulesOf(profile).class),
  text("by", "Issued by", 120, (profile) => rulesOf(profile).issuedBy.join(", ")),
  text("validity", "At most", 90, (profile) => rulesOf(profile).max, { align: "end" }),
  text("renewal", "Renewal", 100, (profile) => rulesOf(profile).renewal),
  text("keys", "Keys", 200, (profile) => rulesOf(profile).algorithms.join(", "), { grow: 2 }),
  { ...text("approvals", "Approvals", 96, (profile) => String(profile.approvals), { align: "end" }), cell: (profile) => (profile.approvals === 0 ? <span className="quiet">none</span> : profile.approvals) },
  text("roles", "Who may ask", 220, (profile) => rulesOf(profile).roles.join(", "), { hidden: true, grow: 2 }),
  text("version", "Version", 84, (profile) => String(profile.version), { hidden: true, align: "end" }),
  text("citations", "By which rules", 240, (profile) => profile.citations.join("; "), { hidden: true, grow: 2 }),
];

interface ProfilesProps {
  readonly isPast: boolean;
  readonly profiles: readonly ProfileView[] | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
}

export function Profiles({ isPast, profiles, error, onRetry }: ProfilesProps) {
  const [sort, setSort] = useState<string>("name");
  return (
    <section className="stack" aria-label="Profiles">
      <h2 className="authorities-title">Profiles <span className="quiet small">what may be issued, to whom, with whose approval</span></h2>
      <DataTable
        id="profiles"
        label="Profiles"
        columns={COLUMNS}
        rows={profiles ?? []}
        rowKey={(profile) => profile.name}
        href={(profile) => `/authorities?profile=${encodeURIComponent(profile.name)}`}
        isLoading={profiles === undefined && !error}
        error={error}
        onRetry={onRetry}
        sort={sort}
        onSort={setSort}
        empty={isPast ? <Empty icon="clock" title="No profile was in force then" /> : <Empty icon="certificate" title="No profile is in force" command="ward profile list">Without a profile nothing is issued.</Empty>}
      />
    </section>
  );
}
