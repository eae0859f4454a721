// R52: any screen as of any past instant. The instant stands in the address (`as_of`), so that a link shows what its sender
// saw; while it is set, nothing can be changed.
import { useNavigate, useSearch } from "@tanstack/react-router";

/** RFC 3339, or nothing for now. */
export function useAsOf(): string | undefined {
  return useSearch({ strict: false, select: (search) => (search as { as_of?: string }).as_of });
}

/** The instant that a screen looks at, Unix milliseconds: then, or now. */
export function instantOf(asOf: string | undefined): number {
  return asOf === undefined ? Date.now() : Date.parse(asOf);
}

export function useSetAsOf(): (asOf: string | undefined) => void {
  const navigate = useNavigate();
  return (asOf) => {
    void navigate({ to: ".", search: (old: Record<string, unknown>) => ({ ...old, as_of: asOf }) } as never);
  };
}

/** What a person typed or picked, as RFC 3339 in UTC; nothing if it is no instant of the past. */
export function pastInstant(text: string, now = Date.now()): string | undefined {
  const trimmed = text.trim();
  const shape = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2})?Z?)?$/.exec(trimmed);
  if (shape === null) return undefined;
  const at = Date.parse(`${shape[1]}T${shape[2] ?? "23:59"}:${shape[2] === undefined ? "59" : "00"}Z`);
  // A day that has begun and not ended means: until now.
  const within = shape[2] === undefined && at > now && at - now < 86_400_000 ? now : at;
  return Number.isNaN(within) || within > now ? undefined : new Date(within).toISOString().replace(/\.\d{3}Z$/, "Z");
}
