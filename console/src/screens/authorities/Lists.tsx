// Revocation lists with the time that each still has; whoever may publish can do it now.
import { Button } from "@mantine/core";
import { useAct } from "~/api/act";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import { Name } from "~/parts/Name";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { TableBox } from "~/parts/table/TableBox";
import { freshness } from "./freshness";
import type { RevocationList } from "./types";

export function Lists({ lists }: { readonly lists: readonly RevocationList[] | undefined }) {
  const mayPublish = useMay("publish-status");
  const publish = useAct<string, unknown>({
    call: (issuer) => api.post("/api/v1/crls/{issuer}/publish", { path: { issuer } }),
    done: (_, issuer) => `The lists of ${issuer} are published`,
    touches: ["crls", "authorities", "overview"],
  });
  if (lists === undefined) return <p className="authorities-none" role="status">Reading…</p>;
  if (lists.length === 0) return <p className="authorities-none">Nothing is published yet: lists come with the first publication, some seconds after Ward starts.</p>;
  const issuers = [...new Set(lists.map((list) => list.issuer))];
  return (
    <>
      <TableBox className="authorities-scroll" label="Revocation lists">
        <table className="authorities-table">
          <thead>
            <tr>
              <th scope="col">Issuer</th><th scope="col">List</th><th scope="col">Freshness</th><th scope="col">Until</th><th scope="col" className="number">Revoked</th><th scope="col" className="number">Bytes</th><th scope="col">Published</th><th scope="col">Where</th>
            </tr>
          </thead>
          <tbody>
            {lists.map((list) => {
              const [from, to] = [Date.parse(list.this_update), Date.parse(list.next_update)];
              const fresh = freshness(from, to);
              return (
                <tr key={list.url}>
                  <th scope="row"><Name text={list.issuer} mono most={40} /></th>
                  <td className="nowrap">{list.list}</td>
                  <td>
                    <span className="authorities-fresh">
                      <Status tone={fresh.tone}>{fresh.word}</Status>
                      <span className="tree-line" role="img" aria-label={`${Math.round(fresh.passed)} percent of its time has passed`}><span style={{ width: `${fresh.passed}%` }} /></span>
                    </span>
                  </td>
                  <td><Time at={to} as="relative" /></td>
                  <td className="number">{list.entries.toLocaleString("en")}</td>
                  <td className="number">{list.bytes.toLocaleString("en")}</td>
                  <td><Time at={from} as="minute" /></td>
                  <td><Name text={`/${list.url}`} mono most={80} /></td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </TableBox>
      {mayPublish && (
        <div className="authorities-publish">
          <span className="quiet small">Lists are published by themselves, at once after a revocation. To publish an issuer's lists now:</span>
          <span className="row">
            {issuers.map((issuer) => (
              <Button key={issuer} variant="default" size="compact-sm" disabled={publish.isPending} onClick={() => publish.mutate(issuer)}><Name text={issuer} line /></Button>
            ))}
          </span>
          {publish.error && <ProblemPanel error={publish.error} compact />}
        </div>
      )}
    </>
  );
}
