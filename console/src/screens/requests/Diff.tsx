// What a held call would change: each value as it is and as it would be.
import type { components } from "~/api/schema.gen";
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { TableBox } from "~/parts/table/TableBox";
import { valueText } from "./value";

type Call = components["schemas"]["CallShape"];

/** 0 is no status of HTTP: the server stopped while it made the call. */
function succeeded(status: number): boolean {
  return status >= 200 && status < 400;
}

export function Diff({ call }: { readonly call: Call }) {
  return (
    <>
      {call.diff.length === 0 && <p className="requests-none">The call changes no value that Ward keeps as a record; what it does is its address and its action, <code>{call.action}</code>.</p>}
      {call.diff.length > 0 && (
        <TableBox className="requests-scroll" label="What will change">
          <table className="requests-diff">
            <thead><tr><th scope="col">Where</th><th scope="col">As it is</th><th scope="col">As it would be</th></tr></thead>
            <tbody>
              {call.diff.map((change) => (
                <tr key={change.at}>
                  <th scope="row"><Name text={change.at} mono most={120} none="the whole" /></th>
                  <td className="requests-before"><Name text={valueText(change.before)} most={600} none="nothing" /></td>
                  <td className="requests-after"><Name text={valueText(change.after)} most={600} none="nothing" /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {call.outcome && (
        <p className="requests-outcome">
          <Status tone={succeeded(call.outcome.status) ? "ok" : "critical"}>{call.outcome.status === 0 ? "no answer" : `answered ${call.outcome.status}`}</Status> <Time at={call.outcome.at} as="minute" />
          {!succeeded(call.outcome.status) && <Name text={call.outcome.body} most={600} />}
        </p>
      )}
    </>
  );
}
