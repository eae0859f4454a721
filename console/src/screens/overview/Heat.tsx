// Segment by week, as the table that it is: every cell says its number, and its shade only repeats it.
import { Link } from "@tanstack/react-router";
import type { OverviewView } from "~/api/types";
import { Empty } from "~/parts/Empty";
import { Name } from "~/parts/Name";
import { TableBox } from "~/parts/table/TableBox";

const STEPS = 4;

/** 0 for nothing, then by the order of magnitude: one among a thousand must be seen. */
export function shade(count: number, most: number): number {
  if (count <= 0) return 0;
  const step = Math.ceil((Math.log(count + 1) / Math.log(most + 1)) * STEPS);
  return Math.max(1, Math.min(STEPS, step));
}

export function Heat({ heat }: { readonly heat: OverviewView["heat"] }) {
  const most = Math.max(1, ...heat.rows.flatMap((row) => row.weeks.map((cell) => cell.all)));
  if (heat.rows.length === 0) {
    return (
      <Empty icon="discovery" title="No certificate ends in the next 26 weeks">
        Once certificates are found, each part of the network has a row here.
      </Empty>
    );
  }
  return (
    <TableBox className="heat-scroll" label="Ends by segment and week">
      <table className="heat">
        <thead>
          <tr>
            <th scope="col">Segment</th>
            {heat.weeks.map((week, index) => (
              <th key={week} scope="col" title={`Week from ${week}`}>
                <span className="sr-only">Week from {week}</span>
                <span aria-hidden="true">{isNewMonth(heat.weeks, index) ? week.slice(5, 7) + "." : ""}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {heat.rows.map((row) => (
            <tr key={row.segment ?? ""}>
              <th scope="row">
                <Link to={row.link.path} search={row.link.search as never}><Name text={row.segment} line none="nowhere known" /></Link>
              </th>
              {row.weeks.map((cell, index) => (
                <td
                  key={heat.weeks[index]}
                  className={`heat-${shade(cell.all, most)} ${cell.phi > 0 ? "heat-phi" : ""}`}
                  title={`Week from ${heat.weeks[index]}: ${cell.all} end, ${cell.phi} protect health information, ${cell.automated} renew by themselves`}
                >
                  {cell.all > 0 ? cell.all : ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p className="heat-note small quiet">
        Underlined: health information is among them.{heat.cut > 0 && ` ${heat.cut} more segments have ends in these weeks.`}
      </p>
    </TableBox>
  );
}

function isNewMonth(weeks: readonly string[], index: number): boolean {
  return index === 0 || weeks[index]?.slice(5, 7) !== weeks[index - 1]?.slice(5, 7);
}
