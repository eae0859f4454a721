// Who sits in front of the page, and what they may do. The server decides anew at every call; here it only decides what is
// offered.
import { type QueryClient, useQuery } from "@tanstack/react-query";
import { api, keepCsrf } from "./client";
import type { Session } from "./types";

export const sessionKey = ["session"] as const;

export async function readSession(): Promise<Session> {
  const session = await api.get<Session>("/api/v1/session");
  keepCsrf(session.csrf);
  return session;
}

/** A session that came as an answer: of a sign-in or a step-up. */
export function keepSession(queries: QueryClient, session: Session): void {
  keepCsrf(session.csrf);
  queries.setQueryData(sessionKey, session);
}

export function useSession(): Session | undefined {
  return useQuery({ queryKey: sessionKey, queryFn: readSession, staleTime: 60_000, retry: false }).data;
}

export function may(session: Session | undefined, action: string): boolean {
  return session !== undefined && (session.actions.includes(action) || session.actions.includes("*"));
}

const PLACES = ["sites", "segments", "departments", "owners"] as const;

/** Whether some grant is for the whole house: the others refuse what concerns it (docs/people-and-roles.md). */
export function mayWhole(session: Session | undefined): boolean {
  if (session === undefined) return false;
  return session.grants.length === 0 || session.grants.some((grant) => PLACES.every((place) => (grant.scope?.[place] ?? []).length === 0));
}

/** Whether some grant is for whole segments: limits on departments and owners say nothing of them (docs/topology.md). */
export function maySegments(session: Session | undefined): boolean {
  if (session === undefined) return false;
  return session.grants.length === 0 || session.grants.some((grant) => (["departments", "owners"] as const).every((place) => (grant.scope?.[place] ?? []).length === 0));
}

/** Whether to offer something that needs `action`. */
export function useMay(action: string): boolean {
  return may(useSession(), action);
}

/** Whether to offer something that needs `action` in the whole house: the others are refused it wherever it is aimed. */
export function useMayWhole(action: string): boolean {
  const session = useSession();
  return may(session, action) && mayWhole(session);
}
