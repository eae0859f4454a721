// The Health Radar (R39): how the house stands on eight axes, what would change it, and why each stands where it does.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "~/api/client";
import { useAsOf } from "~/app/as-of";
import { Page } from "~/parts/Page";
import { Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Time } from "~/parts/Time";
import { AxisPanel } from "./AxisPanel";
import { Levers } from "./Levers";
import { Web } from "./Web";
import { heldBy, type Levers as Set, type RadarView, recompute, shown, worths } from "./whatif";
import "./radar.css";

export function Radar() {
  const asOf = useAsOf();
  const radar = useQuery({
    queryKey: ["radar", asOf],
    queryFn: ({ signal }) => api.get<RadarView>("/api/v1/radar", { query: { as_of: asOf }, signal }),
  });
  const seen = radar.data;
  return (
    <Page title="Health radar" about={seen ? <>Counted <Time at={Date.parse(seen.counted_at)} as="minute" /> from what there is. Nobody enters anything.</> : radar.error ? "Posture on eight axes" : "Counting…"}>
      {radar.error && <ProblemPanel error={radar.error} onRetry={() => void radar.refetch()} />}
      {seen && <Known radar={seen} />}
      {radar.isPending && <div className="radar-top" aria-hidden="true"><div className="radar-ghost" /><div className="radar-ghost" /></div>}
    </Page>
  );
}

function Known({ radar }: { readonly radar: RadarView }) {
  const [set, setSet] = useState<Set>({});
  const now = useMemo(() => recompute(radar, {}), [radar]);
  const then = useMemo(() => recompute(radar, set), [radar, set]);
  const sorted = useMemo(() => worths(radar), [radar]);
  const held = heldBy(radar, now);
  const isMoved = Object.values(set).some((percent) => percent > 0);
  return (
    <>
      <div className="radar-top">
        <Panel title="How the house stands" note={held && `The score is held down by ${held.toLowerCase()}`}>
          <Score now={now.score} then={then.score} isMoved={isMoved} />
          <Web axes={radar.axes} now={now} then={then} isMoved={isMoved} />
        </Panel>
        <Panel
          title="What if"
          note="Drag a lever; nothing is changed"
          actions={<Button variant="default" size="compact-sm" disabled={!isMoved} onClick={() => setSet({})}>Back to now</Button>}
        >
          <Levers worths={sorted} set={set} onSet={(lever, percent) => setSet((old) => ({ ...old, [lever]: percent }))} />
        </Panel>
      </div>
      <div className="radar-axes">
        {radar.axes.map((axis, at) => <AxisPanel key={axis.id} axis={axis} now={now.axes[at]} then={then.axes[at]} />)}
      </div>
      <p className="quiet small">
        The weights are Ward's judgement and not a standard's. The score is never more than {radar.ceiling} above the weakest axis. A lever does not say what it costs.
      </p>
    </>
  );
}

function Score({ now, then, isMoved }: { readonly now: number | undefined; readonly then: number | undefined; readonly isMoved: boolean }) {
  const gain = (then ?? 0) - (now ?? 0);
  return (
    <p className="radar-score" aria-live="polite">
      <strong>{shown(isMoved ? then : now)}</strong>
      <span className="quiet">{now === undefined ? "nothing to judge yet" : "of 100"}</span>
      {isMoved && <span className="radar-gain">{shown(now)} today, {gain < 0.05 ? "the same" : `+${gain.toFixed(1)}`} with the levers</span>}
    </p>
  );
}
