// Nothing to show is a moment to teach: what would stand here, and the first thing to do about it.
import type { ReactNode } from "react";
import { Icon, type IconName } from "./Icon";
import "./empty.css";

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
  /** A command line that does the same, without its prompt. */
  readonly command?: string;
  readonly actions?: ReactNode;
}

export function Empty({ icon, title, children, command, actions }: EmptyProps) {
  return (
    <div className="empty">
      <Icon name={icon} size={28} />
      <h2>{title}</h2>
      {children && <div className="empty-text">{children}</div>}
      {command && (
        <p className="empty-command">
          <span className="quiet small">or on the command line</span>
          <code>{command}</code>
        </p>
      )}
      {actions && <div className="row">{actions}</div>}
    </div>
  );
}
