import type { components } from "~/api/schema.gen";

export type Person = components["schemas"]["PersonShape"];
export type Group = components["schemas"]["GroupShape"];
export type Grant = components["schemas"]["GrantShape"];
export type Scope = components["schemas"]["ScopeShape"];
export type Role = components["schemas"]["RoleShape"];
export type Policy = components["schemas"]["PolicyShape"];
export type ReviewAnswer = components["schemas"]["ReviewShape"];
export type Passkey = components["schemas"]["PasskeyView"];
export type ListedSession = components["schemas"]["ListedSession"];

/** `GET /api/v1/tokens`; times in Unix milliseconds. */
export interface Token {
  readonly id: string;
  readonly name: string;
  readonly person: boolean;
  readonly roles: readonly string[];
  readonly scope: Scope;
  readonly created: number;
  readonly created_by: string;
  readonly expires: number | null;
  readonly revoked: number | null;
}
