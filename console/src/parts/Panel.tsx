// A titled surface, the unit that screens are made of.
import { type ReactNode, useId } from "react";
import "./panel.css";

interface PanelProps {
  readonly title: ReactNode;
  /** Said after the title, quieter: how many, as of when. */
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  /** Without padding, for tables and lists that reach the edges. */
  readonly flush?: boolean;
}

export function Panel({ title, note, actions, children, flush = false }: PanelProps) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {note && <span className="quiet small">{note}</span>}
        {actions && <div className="panel-actions">{actions}</div>}
      </header>
      <div className={flush ? "panel-body panel-flush" : "panel-body"}>{children}</div>
    </section>
  );
}

/** Facts as a list of terms: label left, value right. */
export function Facts({ items }: { readonly items: readonly (readonly [label: string, value: ReactNode])[] }) {
  return (
    <dl className="facts">
      {items.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
