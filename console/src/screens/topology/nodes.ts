// One level of the house, a page at a time (docs/topology.md).
import { useInfiniteQuery } from "@tanstack/react-query";
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import { useAsOf } from "~/app/as-of";

export type Topology = components["schemas"]["Topology"];
export type Node = components["schemas"]["Node"];
export type Edge = components["schemas"]["Edge"];

const PAGE = 100;

export function useLevel(under: string | undefined, isOn = true) {
  const asOf = useAsOf();
  return useInfiniteQuery({
    queryKey: ["topology", under ?? null, asOf],
    queryFn: ({ pageParam, signal }) => api.get<Topology>("/api/v1/topology", { query: { under, after: pageParam, limit: PAGE, as_of: asOf }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    enabled: isOn,
  });
}

/** Where a node leads: certificates have their screen under the inventory. */
export function target(node: Node): { readonly to: string; readonly search: Readonly<Record<string, string>> } {
  if (node.certificate) return { to: `/inventory/${node.certificate.sha256}`, search: {} };
  return { to: node.link.path, search: node.link.search as Readonly<Record<string, string>> };
}

/** What protects a flow, in a word. */
export function state(edge: Edge): "lacks" | "protected" | "other" {
  if (edge.gaps.length > 0) return "lacks";
  return edge.certificates.length > 0 ? "protected" : "other";
}
