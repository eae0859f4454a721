// "What if": levers that move the picture without asking anybody, what helps this house most first.
import { Link } from "@tanstack/react-router";
import { useId } from "react";
import type { Levers as Set, Worth } from "./whatif";

interface LeversProps {
  readonly worths: readonly Worth[];
  readonly set: Set;
  readonly onSet: (lever: string, percent: number) => void;
}

export function Levers({ worths, set, onSet }: LeversProps) {
  return (
    <ul className="levers">
      {worths.map((worth) => <One key={worth.lever.id} worth={worth} percent={set[worth.lever.id] ?? 0} onSet={(percent) => onSet(worth.lever.id, percent)} />)}
    </ul>
  );
}

function One({ worth: { lever, gain, most }, percent, onSet }: { readonly worth: Worth; readonly percent: number; readonly onSet: (percent: number) => void }) {
  const id = useId();
  const isDone = lever.total === 0;
  const count = Math.round((lever.total * percent) / 100).toLocaleString("en");
  const of = `${count} of ${lever.total.toLocaleString("en")} ${lever.unit}`;
  return (
    <li className={isDone ? "lever lever-done" : "lever"}>
      <div className="lever-head">
        <label htmlFor={id}>{lever.title}</label>
        <span className="lever-gain small">{isDone ? "nothing left to do" : gain >= 0.05 ? `score up to +${gain.toFixed(1)}` : most ? `${most.axis} up to +${most.gain.toFixed(1)}` : ""}</span>
      </div>
      {!isDone && (
        <>
          <div className="lever-track">
            <input
              id={id}
              type="range"
              min={0}
              max={100}
              step={5}
              value={percent}
              aria-valuetext={`${percent} percent, ${of}`}
              aria-describedby={`${id}-what`}
              onChange={(event) => onSet(Number(event.currentTarget.value))}
            />
            <output htmlFor={id} className="number">{percent} %</output>
          </div>
          <p id={`${id}-what`} className="lever-what small">
            {of}: {lever.what}. <Link to={lever.link.path} search={lever.link.search as never}>Show them</Link>
          </p>
        </>
      )}
    </li>
  );
}
