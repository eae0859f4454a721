// A short table as it stands in the page, and the same as CSV. Long ones are <DataTable>.
import { type ReactNode, useRef } from "react";
import { download } from "./csv";
import { fileName, shownCsv } from "./shown";
import "./table-box.css";

interface TableBoxProps {
  /** What is in it: said to who cannot see it, and the file's name. */
  readonly label: string;
  readonly className: string;
  readonly children: ReactNode;
}

export function TableBox({ label, className, children }: TableBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  return (
    <div className="table-box">
      <div ref={box} className={className} tabIndex={0} role="region" aria-label={label}>{children}</div>
      <button type="button" className="table-box-export" aria-label={`Export ${label} as CSV`} onClick={() => box.current && download(fileName(label), shownCsv(box.current))}>CSV</button>
    </div>
  );
}
