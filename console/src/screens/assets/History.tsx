// Every version of a record, the newest first: what each of them changed.
import { Name } from "~/parts/Name";
import { Time } from "~/parts/Time";
import { changed } from "./changed";
import type { AssetVersion } from "./types";

export function History({ versions }: { readonly versions: readonly AssetVersion[] }) {
  const newest = [...versions].reverse();
  return (
    <ol className="assets-list assets-history">
      {newest.map((version, at) => {
        const before = newest[at + 1];
        const changes = before === undefined ? [] : changed(before.asset, version.asset);
        return (
          <li key={version.version}>
            <span className="nowrap small"><Time at={version.valid_from} as="minute" /></span>
            <span>
              {before === undefined && "Registered"}
              {before !== undefined && changes.length === 0 && "Written anew, nothing changed"}
              {changes.map((change) => (
                <span key={change.field} className="assets-change">
                  <span className="quiet">{change.field}</span> <Name text={change.before} none="nothing" most={120} /> → <strong><Name text={change.after} none="nothing" most={120} /></strong>
                </span>
              ))}
            </span>
            <span className="quiet small nowrap">version {version.version}</span>
          </li>
        );
      })}
    </ol>
  );
}
