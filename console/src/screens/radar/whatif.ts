// The Health Radar with levers, as docs/radar.md computes it: the page does what `fleet::posture::recomputed` does, so that
// nothing is asked while somebody drags.
import type { components } from "~/api/schema.gen";

export type RadarView = components["schemas"]["RadarView"];
export type Axis = components["schemas"]["Judged"];
export type Lever = components["schemas"]["LeverShown"];
export type Pull = components["schemas"]["Pull"];

/** Lever → percent. */
export type Levers = Readonly<Record<string, number>>;

export interface Values {
  readonly score: number | undefined;
  /** In the order of the axes; nothing where there is nothing to judge. */
  readonly axes: readonly (number | undefined)[];
}

function mean(values: readonly (readonly [weight: number, value: number | undefined])[]): number | undefined {
  let [sum, weights] = [0, 0];
  for (const [weight, value] of values) {
    if (value === undefined) continue;
    sum += weight * value;
    weights += weight;
  }
  return weights > 0 ? sum / weights : undefined;
}

/** What levers at so many percent come to. */
export function recompute(radar: Pick<RadarView, "axes" | "levers" | "ceiling">, levers: Levers): Values {
  const gains = new Map<string, number>();
  for (const lever of radar.levers) {
    const percent = Math.max(0, Math.min(100, levers[lever.id] ?? 0));
    for (const { part, gain } of lever.effects) gains.set(part, (gains.get(part) ?? 0) + (gain * percent) / 100);
  }
  const axes = radar.axes.map((axis) =>
    mean(
      axis.parts.map(({ id, weight, share }) => {
        const have = Math.min(share.of, share.have + (gains.get(id) ?? 0));
        return [weight, share.of > 0 ? (100 * have) / share.of : undefined] as const;
      }),
    ),
  );
  const weighted = mean(radar.axes.map((axis, at) => [axis.weight, axes[at]] as const));
  const known = axes.filter((value) => value !== undefined);
  const score = weighted === undefined ? undefined : Math.min(weighted, Math.min(...known) + radar.ceiling);
  return { score, axes };
}

export interface Worth {
  readonly lever: Lever;
  /** What all of it would add to the score, if nothing else were done. */
  readonly gain: number;
  /** The axis that it moves most, and by how much. */
  readonly most: { readonly axis: string; readonly gain: number } | undefined;
}

/** Levers, what helps this house most first; what has nothing left to mend last. */
export function worths(radar: RadarView): readonly Worth[] {
  const now = recompute(radar, {});
  const each = radar.levers.map((lever) => {
    const all = recompute(radar, { [lever.id]: 100 });
    const moved = radar.axes.map((axis, at) => ({ axis: axis.title, gain: (all.axes[at] ?? 0) - (now.axes[at] ?? 0) }));
    const most = moved.sort((a, b) => b.gain - a.gain).find(({ gain }) => gain > 0);
    return { lever, gain: (all.score ?? 0) - (now.score ?? 0), most };
  });
  return each.sort((a, b) => Number(b.lever.total > 0) - Number(a.lever.total > 0) || b.gain - a.gain || (b.most?.gain ?? 0) - (a.most?.gain ?? 0));
}

/** The axis without which the score would be higher: it is never more than `ceiling` above the weakest. */
export function heldBy(radar: RadarView, values: Values): string | undefined {
  const mean = recompute({ ...radar, ceiling: 100 }, {}).score;
  const weakest = Math.min(...values.axes.map((value) => value ?? 100));
  if (mean === undefined || values.score === undefined || mean <= weakest + radar.ceiling) return undefined;
  return radar.axes[values.axes.findIndex((value) => value === weakest)]?.title;
}

/** As the screens show a value: whole numbers, and a dash where there is nothing to judge. */
export function shown(value: number | null | undefined): string {
  return value === null || value === undefined ? "—" : String(Math.round(value));
}

/** `is everything known (R16)` as a question, with its reference apart. */
export function question(what: string): readonly [text: string, reference: string] {
  const [, text = what, reference = ""] = /^(.*?)(?: \(([^)]*)\))?$/.exec(what) ?? [];
  return [`${text.charAt(0).toUpperCase()}${text.slice(1)}?`, reference];
}
