// Roles with where they count: shown, and edited one a line.
import { Button, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api } from "~/api/client";
import { Icon } from "~/parts/Icon";
import { Name } from "~/parts/Name";
import { limitsText, readLimits } from "./grant-text";
import type { Grant, Role } from "./types";

export function GrantList({ grants, none = "no role of their own" }: { readonly grants: readonly Grant[]; readonly none?: string }) {
  if (grants.length === 0) return <span className="quiet">{none}</span>;
  return (
    <ul className="settings-grants">
      {grants.map((grant) => {
        const limits = limitsText(grant.scope);
        return <li key={`${grant.role} ${limits}`}><strong>{grant.role}</strong>{limits === "" ? "" : <> <span className="quiet small">where <Name text={limits} most={160} /></span></>}</li>;
      })}
    </ul>
  );
}

export interface Draft {
  readonly role: string;
  readonly limits: string;
}

export function drafts(grants: readonly Grant[]): readonly Draft[] {
  return grants.map((grant) => ({ role: grant.role, limits: limitsText(grant.scope) }));
}

/** The grants, if every line is one. */
export function readDrafts(lines: readonly Draft[]): readonly Grant[] | undefined {
  const grants: Grant[] = [];
  for (const line of lines) {
    const read = readLimits(line.limits);
    if ("wrong" in read) return undefined;
    grants.push({ role: line.role, scope: read.scope });
  }
  return grants;
}

export function useRoles() {
  return useQuery({ queryKey: ["roles"], queryFn: () => api.get<readonly Role[]>("/api/v1/roles"), staleTime: Infinity });
}

export function GrantEditor({ lines, onChange }: { readonly lines: readonly Draft[]; readonly onChange: (lines: readonly Draft[]) => void }) {
  const roles = useRoles();
  const names = roles.data?.map((role) => ({ value: role.name, label: `${role.name}: ${role.title}` })) ?? lines.map(({ role }) => ({ value: role, label: role }));
  const put = (at: number, line: Draft) => onChange(lines.map((each, index) => (index === at ? line : each)));
  return (
    <fieldset className="settings-grant-editor">
      <legend>Roles</legend>
      {lines.map((line, at) => {
        const read = readLimits(line.limits);
        return (
          <div key={at} className="settings-grant-line">
            <Select aria-label={`Role ${at + 1}`} data={[...new Map(names.map((each) => [each.value, each])).values()]} value={line.role} onChange={(role) => put(at, { ...line, role: role ?? line.role })} />
            <TextInput aria-label={`Where role ${at + 1} counts`} placeholder="everywhere, or segment=icu-*, site=main" maxLength={1000} value={line.limits} error={"wrong" in read ? read.wrong : undefined} onChange={(event) => put(at, { ...line, limits: event.currentTarget.value })} />
            <Button variant="subtle" aria-label={`Take role ${at + 1} away`} onClick={() => onChange(lines.filter((_, index) => index !== at))}><Icon name="close" size={13} /></Button>
          </div>
        );
      })}
      <Button variant="default" size="compact-sm" onClick={() => onChange([...lines, { role: "read-only", limits: "" }])}>Add a role</Button>
    </fieldset>
  );
}
