// Server-sent events: the log tells what changed, and whatever shows it is read again. Nothing is polled.
import { useEffect, useSyncExternalStore } from "react";
import { useQueryClient } from "@tanstack/react-query";

/**
 * Topic of an event (crates/server/src/events.rs) → first words of the query keys that may show something else now.
 * What nobody draws yet stands here all the same, so that a screen which comes to draw it follows.
 */
export const TOUCHES: Readonly<Record<string, readonly string[]>> = {
  certificate: ["inventory", "certificate", "certificates", "assets", "overview", "radar", "topology"],
  authority: ["authorities", "crls", "certificate", "overview", "radar"],
  profile: ["profiles"],
  request: ["requests", "overview"],
  asset: ["assets", "topology", "overview", "radar"],
  finding: ["findings", "inventory", "certificate", "overview", "radar"],
  inventory: ["inventory", "certificate", "findings", "coverage", "overview", "radar", "topology"],
  flow: ["topology", "flows", "certificate", "radar"],
  scan: ["scans", "segments", "coverage", "overview"],
  agent: ["agents", "scans", "overview"],
  job: ["jobs", "inventory"],
  enrolment: ["enrolment", "authorities"],
  token: ["tokens"],
  log: ["audit", "people", "groups", "policies", "access-review"],
};

/** How far something is that takes long. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly state?: string;
}

let progress: ReadonlyMap<string, Progress> = new Map();

/** Many events come together; the page reads again once. */
const SETTLE_MS = 400;
/**
 * The inventory, what is wrong in it and how the house stands follow the log within two seconds and have no event of their
 * own: what is made of them is read once more.
 */
const LATER_MS = 3_000;
const LATER: readonly string[] = ["inventory", "certificate", "findings", "overview", "radar", "topology"];

type Live = "off" | "connecting" | "live";
let state: Live = "off";
const watchers = new Set<() => void>();

function told() {
  for (const watcher of watchers) watcher();
}

function become(next: Live) {
  if (state === next) return;
  state = next;
  told();
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Whether the page follows Ward by itself. */
export function useIsLive(): Live {
  return useSyncExternalStore(watch, () => state);
}

/** How far scans and jobs are, by id, as they say it every two seconds. */
export function useProgress(): ReadonlyMap<string, Progress> {
  return useSyncExternalStore(watch, () => progress);
}

interface Notice {
  readonly action?: string;
  readonly object?: { readonly kind?: string; readonly id?: string };
  readonly done?: number;
  readonly total?: number;
  readonly state?: string;
}

function parsed(event: Event): Notice {
  try {
    return JSON.parse((event as MessageEvent<string>).data) as Notice;
  } catch {
    return {};
  }
}

/** Progress is kept as it comes; that much changed is no reason to read everything anew. Says whether it was progress. */
function isProgress(notice: Notice): boolean {
  if (!(notice.action?.endsWith(".progress") ?? false)) return false;
  const id = notice.object?.id;
  if (id !== undefined) {
    const { done = 0, total = 0, state: at } = notice;
    progress = new Map(progress).set(id, at === undefined ? { done, total } : { done, total, state: at });
    told();
  }
  return true;
}

/** Keeps every query fresh while mounted and `on`. */
export function useLiveUpdates(on: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (!on || typeof EventSource === "undefined") return;
    become("connecting");
    const source = new EventSource("/api/v1/events/stream");
    const touched = new Set<string>();
    let [timer, later]: (number | undefined)[] = [];
    const again = (keys: Iterable<string>) => {
      for (const key of keys) void queries.invalidateQueries({ queryKey: [key] });
    };
    const settle = () => {
      timer = undefined;
      again(touched);
      const late = LATER.filter((key) => touched.has(key));
      touched.clear();
      if (late.length === 0) return;
      window.clearTimeout(later);
      later = window.setTimeout(() => again(LATER), LATER_MS);
    };
    const heard = (topic: string) => (event: Event) => {
      if (isProgress(parsed(event))) return;
      for (const key of TOUCHES[topic] ?? []) touched.add(key);
      timer ??= window.setTimeout(settle, SETTLE_MS);
    };
    for (const topic of Object.keys(TOUCHES)) source.addEventListener(topic, heard(topic));
    // Too much was missed: everything may be different.
    source.addEventListener("reset", () => void queries.invalidateQueries());
    source.onopen = () => become("live");
    // The browser tries again by itself, with Last-Event-ID; an answer that is no stream ends it for good.
    source.onerror = () => become(source.readyState === EventSource.CLOSED ? "off" : "connecting");
    return () => {
      window.clearTimeout(timer);
      window.clearTimeout(later);
      source.close();
      become("off");
    };
  }, [on, queries]);
}
