// A drawing for the eye, and the same as a table for everybody else. The library comes when the first chart is shown.
import { useComputedColorScheme } from "@mantine/core";
import type { EChartsCoreOption } from "echarts/core";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { ProblemPanel } from "../ProblemPanel";
import "./chart.css";

interface ChartProps {
  /** What it shows, in a sentence. */
  readonly label: string;
  readonly option: EChartsCoreOption;
  readonly height: number;
  /** The same figures as a table or list. */
  readonly table: ReactNode;
  readonly onSelect?: (name: string) => void;
}

export function Chart({ label, option, height, table, onSelect }: ChartProps) {
  const element = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme();
  const [error, setError] = useState<unknown>();
  const select = useRef(onSelect);
  useEffect(() => {
    select.current = onSelect;
  }, [onSelect]);
  useEffect(() => {
    let end: (() => void) | undefined;
    let isGone = false;
    import("./echarts").then(
      ({ draw }) => {
        if (element.current === null || isGone) return;
        end = draw(element.current, option, scheme, (name) => select.current?.(name));
      },
      (failure: unknown) => setError(failure),
    );
    return () => {
      isGone = true;
      end?.();
    };
  }, [option, scheme]);
  if (error !== undefined) return <ProblemPanel error={error} compact />;
  return (
    <figure className="chart" aria-label={label}>
      <div ref={element} role="img" aria-label={label} style={{ height }} />
      <details>
        <summary>As a table</summary>
        {table}
      </details>
    </figure>
  );
}
