// ECharts, only the parts that are drawn here, on canvas: its SVG and its HTML tooltips need inline styles, which the
// Content-Security-Policy forbids.
import { BarChart, GraphChart, HeatmapChart, LineChart, RadarChart, SankeyChart, TreeChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, RadarComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import { type EChartsCoreOption, init, use as register } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

register([
  BarChart, GraphChart, HeatmapChart, LineChart, RadarChart, SankeyChart, TreeChart,
  AriaComponent, GridComponent, LegendComponent, RadarComponent, TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

/** A token of base.css as the canvas needs it. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function draw(element: HTMLElement, option: EChartsCoreOption, scheme: string, onSelect: (name: string) => void): () => void {
  const chart = init(element, scheme === "dark" ? "dark" : undefined, { renderer: "canvas" });
  chart.setOption({
    backgroundColor: "transparent",
    animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 250,
    textStyle: { fontFamily: token("font"), color: token("ink") },
    aria: { enabled: true, decal: { show: true } },
    tooltip: { renderMode: "richText" },
    ...option,
  });
  chart.on("click", (event) => onSelect(event.name));
  const watch = new ResizeObserver(() => chart.resize());
  watch.observe(element);
  return () => {
    watch.disconnect();
    chart.dispose();
  };
}
