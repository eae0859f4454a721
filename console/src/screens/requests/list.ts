// Every request that the caller may see, or could at an instant, page by page: the screen counts and filters them itself.
import { api } from "~/api/client";
import type { components } from "~/api/schema.gen";
import type { Request } from "./types";

type Page = components["schemas"]["RequestPage"];

const LARGEST_PAGE = 1000;

export async function readRequests(asOf: string | undefined, signal: AbortSignal): Promise<readonly Request[]> {
  const all: Request[] = [];
  let after: string | null | undefined;
  do {
    const page: Page = await api.get<Page>("/api/v1/requests", { query: { as_of: asOf, after, limit: LARGEST_PAGE }, signal });
    all.push(...page.requests);
    after = page.next;
  } while (after);
  return all;
}
