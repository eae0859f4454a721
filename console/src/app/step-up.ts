// High-risk actions ask for the passkey again (R35). Whoever gets `step-up-required` waits here for the dialog's answer.
import { useSyncExternalStore } from "react";

let answer: ((given: boolean) => void) | undefined;
let waiting: Promise<boolean> | undefined;
const watchers = new Set<() => void>();

function tell() {
  for (const watcher of watchers) watcher();
}

/** Several calls that are refused together share one dialog. */
export function askStepUp(): Promise<boolean> {
  waiting ??= new Promise<boolean>((resolve) => {
    answer = resolve;
    tell();
  });
  return waiting;
}

export function answerStepUp(given: boolean): void {
  const resolve = answer;
  answer = undefined;
  waiting = undefined;
  tell();
  resolve?.(given);
}

export function useIsStepUpAsked(): boolean {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => answer !== undefined,
  );
}
