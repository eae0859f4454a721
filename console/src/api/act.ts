// A change that a person makes: sent once, told in a notice, and whatever it may have changed is read again.
import { type UseMutationResult, useMutation, useQueryClient } from "@tanstack/react-query";
import { tell } from "~/parts/Notices";
import type { Outcome } from "./client";

interface Act<V, T> {
  /** Makes the call. */
  readonly call: (input: V) => Promise<Outcome<T>>;
  /** What is told once it is done: `Revoked`. */
  readonly done: (data: T, input: V) => string;
  /** First words of the query keys that may show something else now; everything if absent. */
  readonly touches?: readonly string[];
  readonly then?: (data: T) => void;
}

/** Problems are not swallowed: show `result.error` with <ProblemPanel>. */
export function useAct<V, T>(act: Act<V, T>): UseMutationResult<Outcome<T>, Error, V> {
  const queries = useQueryClient();
  return useMutation<Outcome<T>, Error, V>({
    mutationFn: act.call,
    onSuccess: async (outcome, input) => {
      if (outcome.done) {
        tell({ kind: "done", text: act.done(outcome.data, input) });
        act.then?.(outcome.data);
      } else {
        tell({
          kind: "waiting",
          text: `Waits for approval as request ${outcome.request}. Nothing has changed yet.`,
          link: { to: `/requests/${outcome.request}`, label: "See the request" },
        });
      }
      if (act.touches === undefined) await queries.invalidateQueries();
      else await Promise.all(act.touches.map((key) => queries.invalidateQueries({ queryKey: [key] })));
    },
  });
}
