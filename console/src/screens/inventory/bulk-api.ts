// One thing for many (docs/bulk.md): without a digest it is only said what would happen; with it, exactly that is done.
import { useQuery } from "@tanstack/react-query";
import { api, type Outcome } from "~/api/client";
import { useIsLive } from "~/api/live";
import type { components } from "~/api/schema.gen";

export type BlastRadius = components["schemas"]["BlastRadius"];

export interface Planned {
  readonly action: string;
  readonly count: number;
  /** SHA-256 of the first thousand. */
  readonly items: readonly string[];
  readonly digest: string;
  readonly blast_radius: BlastRadius;
}

export interface Job {
  readonly id: string;
  readonly action: string;
  readonly total: number;
  readonly done: number;
  readonly refused: number;
  /** Unix milliseconds. */
  readonly ended?: number | null;
  readonly refusals: readonly { readonly position: number; readonly item: string; readonly said: string }[];
  readonly next?: number;
}

export type Which = { readonly search: string } | { readonly ids: readonly string[] };

type Path = "/api/v1/bulk/revoke" | "/api/v1/bulk/owner" | "/api/v1/bulk/tag";

export interface Wish {
  readonly path: Path;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What would happen; read anew whenever the wish is another. */
export function useDryRun(wish: Wish | undefined) {
  return useQuery({
    queryKey: ["bulk", wish?.path, wish?.body],
    queryFn: async () => {
      if (wish === undefined) throw new Error("nothing is wished for");
      const outcome = await api.post<Planned>(wish.path, { body: wish.body });
      if (!outcome.done) throw new Error("a dry run waits for nobody");
      return outcome.data;
    },
    enabled: wish !== undefined,
    // What is shown is what the digest is of.
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
}

export function start(wish: Wish, digest: string): Promise<Outcome<{ readonly job: string }>> {
  return api.post<{ readonly job: string }>(wish.path, { body: { ...wish.body, digest } });
}

/** Progress comes by the server's events; where there are none, it is asked for. */
export function useJob(id: string) {
  const live = useIsLive();
  return useQuery({
    queryKey: ["jobs", id],
    queryFn: () => api.get<Job>("/api/v1/jobs/{id}", { path: { id } }),
    refetchInterval: (query) => (query.state.data?.ended ? false : live === "live" ? 5000 : 1000),
  });
}
