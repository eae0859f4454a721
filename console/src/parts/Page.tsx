// The head of a screen and its place in the document: title, what it is for, what can be done. The heading takes the focus
// when the screen opens, so that keyboard and screen reader begin where the new content begins (WCAG 2.4.3).
import { type ReactNode, useEffect, useRef } from "react";
import { visibleText } from "~/text/visible";
import "./page.css";

interface PageProps {
  /** Also the title of the window. */
  readonly title: string;
  /** Drawn instead of the title, which then is for the window only. */
  readonly heading?: ReactNode;
  readonly about?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** The first screen after loading keeps the focus where the browser put it. */
let isFirst = true;

export function Page({ title, heading, about, actions, children }: PageProps) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isFirst) head.current?.focus({ preventScroll: true });
    isFirst = false;
  }, []);
  useEffect(() => {
    document.title = `${visibleText(title, 80)} · Ward`;
  }, [title]);
  return (
    <div className="page">
      <header className="page-head">
        <div className="page-title">
          <h1 ref={head} tabIndex={-1}>{heading ?? title}</h1>
          {about && <p className="page-about">{about}</p>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
