// A state is told three times: by its word, by its shape, by its colour. The colour alone says nothing that counts.
import type { ReactNode } from "react";
import "./status.css";

export type Tone = "critical" | "high" | "medium" | "low" | "ok" | "none";

const SHAPES: Readonly<Record<Tone, string>> = {
  critical: "M4 .8h4l3.2 3.2v4L8 11.2H4L.8 8V4z",
  high: "M6 .8 11.5 10.8H.5z",
  medium: "M6 .5 11.5 6 6 11.5.5 6z",
  low: "M6 1.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6",
  ok: "M1.5 6.2 4.7 9.5 10.5 2.8",
  none: "M2 6h8",
};

export function StatusShape({ tone, size = 11 }: { readonly tone: Tone; readonly size?: number }) {
  const isLine = tone === "ok" || tone === "none";
  return (
    <svg width={size} height={size} viewBox="0 0 12 12" aria-hidden="true" focusable="false" className={`status-shape tone-${tone}`}>
      <path d={SHAPES[tone]} fill={isLine ? "none" : "currentColor"} stroke={isLine ? "currentColor" : "none"} strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export function Status({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) {
  return (
    <span className={`status tone-${tone}`}>
      <StatusShape tone={tone} />
      <span>{children}</span>
    </span>
  );
}

const TONES: Readonly<Record<string, Tone>> = {
  critical: "critical",
  high: "high",
  medium: "medium",
  low: "low",
  note: "low",
  none: "none",
};

/** Of a risk (docs/risk.md) or the weight of a finding (docs/findings.md). */
export function Weight({ value }: { readonly value: string }) {
  return <Status tone={TONES[value] ?? "none"}>{value}</Status>;
}

export function toneOf(value: string): Tone {
  return TONES[value] ?? "none";
}
