// Server-sent events: the log tells what changed, and whatever shows it is read again. Nothing is polled.
import { useEffect, useSyncExternalStore } from "react";
import { useQueryClient } from "@tanstack/react-query";

/** Topic of an event → first words of the query keys that may show something else now. */
const TOUCHES: Readonly<Record<string, readonly string[]>> = {
  certificate: ["inventory", "certificate", "certificates", "overview", "radar", "topology"],
  finding: ["findings", "inventory", "certificate", "overview", "radar"],
  scan: ["scans", "coverage", "overview"],
  request: ["requests", "overview"],
  asset: ["assets", "topology", "overview"],
  agent: ["agents"],
  segment: ["segments", "coverage"],
  authority: ["authorities", "crls", "overview"],
  crl: ["crls", "authorities"],
  person: ["people", "session", "access-review"],
  flow: ["topology", "flows"],
};

/** Many events come together; the page reads again once. */
const SETTLE_MS = 400;

type Live = "off" | "connecting" | "live";
let state: Live = "off";
const watchers = new Set<() => void>();

function become(next: Live) {
  if (state === next) return;
  state = next;
  for (const watcher of watchers) watcher();
}

/** Whether the page follows Ward by itself. */
export function useIsLive(): Live {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => state,
  );
}

/** Keeps every query fresh while mounted and `on`. */
export function useLiveUpdates(on: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (!on || typeof EventSource === "undefined") return;
    become("connecting");
    const source = new EventSource("/api/v1/events/stream");
    const touched = new Set<string>();
    let timer: number | undefined;
    const settle = () => {
      timer = undefined;
      for (const key of touched) void queries.invalidateQueries({ queryKey: [key] });
      touched.clear();
    };
    const heard = (topic: string) => () => {
      for (const key of TOUCHES[topic] ?? []) touched.add(key);
      timer ??= window.setTimeout(settle, SETTLE_MS);
    };
    for (const topic of Object.keys(TOUCHES)) source.addEventListener(topic, heard(topic));
    source.onopen = () => become("live");
    // The browser tries again by itself, with Last-Event-ID; an answer that is no stream ends it for good.
    source.onerror = () => become(source.readyState === EventSource.CLOSED ? "off" : "connecting");
    return () => {
      window.clearTimeout(timer);
      source.close();
      become("off");
    };
  }, [on, queries]);
}
