// Every text that somebody outside wrote is shown through this: subjects, names, issuers, paths, notes, reasons.
//
// React already keeps it from being markup. <bdi> keeps right-to-left letters from reordering what stands beside it, marks
// stand for what cannot be seen, and nothing is longer than a person can read unless asked for.
import { useState } from "react";
import { clip, visible } from "~/text/visible";
import "./name.css";

interface NameProps {
  readonly text: string | null | undefined;
  /** Characters shown before "show all". */
  readonly most?: number;
  readonly mono?: boolean;
  /** One line that ends in an ellipsis where the space ends, as in tables. Never offers "show all". */
  readonly line?: boolean;
  /** What stands there if there is no text. */
  readonly none?: string;
}

/** Beyond this a browser spends its time on one text. "Show all" stops here, too, and says so. */
const LONGEST = 20_000;

export function Name({ text, most = 240, mono = false, line = false, none = "—" }: NameProps) {
  const [isWhole, setWhole] = useState(false);
  if (text === null || text === undefined || text === "") return <span className="quiet">{none}</span>;
  const { shown, left } = clip(text, isWhole ? LONGEST : most);
  const pieces = visible(shown);
  // Where marks stand in it or it is cut, an export still has it as it is.
  const isExact = left === 0 && pieces.every((piece) => !piece.mark);
  const className = ["name", mono ? "mono" : "", line ? "name-line" : ""].join(" ").trim();
  return (
    <>
      <bdi className={className} data-whole={isExact ? undefined : text}>
        {pieces.map((piece, index) =>
          piece.mark ? (
            <span key={index} className="name-mark" role="img" aria-label={`${piece.what ?? "hidden character"}, ${piece.text}`} title={piece.what}>
              {piece.text}
            </span>
          ) : (
            piece.text
          ),
        )}
        {left > 0 && "…"}
      </bdi>
      {left > 0 && !line && (
        <button type="button" className="name-more" onClick={() => setWhole(true)} disabled={isWhole}>
          {isWhole ? `${left.toLocaleString("en")} more are not shown` : `show ${left.toLocaleString("en")} more characters`}
        </button>
      )}
    </>
  );
}
