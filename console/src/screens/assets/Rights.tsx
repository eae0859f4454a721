// What lets this asset ask for a certificate.
import { Name } from "~/parts/Name";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { isUsable, type Right } from "./types";

const WAYS: Readonly<Record<string, string>> = {
  "one-time-password": "password, once",
  "http-password": "user name and password",
  "shared-secret": "shared secret (CMP)",
  vendor: "the vendor's certificate",
};

export function Rights({ rights, mayRead }: { readonly rights: readonly { readonly right: Right; readonly through: string }[]; readonly mayRead: boolean }) {
  if (!mayRead) return <p className="assets-none">Your role does not show rights to enrol.</p>;
  if (rights.length === 0) return <p className="assets-none">No right to enrol is good for it. Make one with <code>ward enrol right create</code>, or at an endpoint where somebody approves.</p>;
  return (
    <ul className="assets-list">
      {rights.map(({ right, through }) => {
        const way = typeof right.credential === "string" ? right.credential : (Object.keys(right.credential)[0] ?? "");
        return (
          <li key={right.id}>
            {isUsable(right) ? <Status tone="ok">usable</Status> : <Status tone="none">{right.revoked !== null ? "ended" : right.uses !== null && right.used >= right.uses ? "used up" : "over"}</Status>}
            <span>
              {WAYS[way] ?? way}
              <span className="quiet small"> for {through}, at {right.endpoint === null ? "any endpoint" : <Name text={right.endpoint} most={60} />}</span>
            </span>
            <span className="quiet small nowrap">
              {right.uses === null ? `used ${right.used} times` : `${right.used} of ${right.uses} used`}
              {right.expires !== null && right.expires > Date.now() && <>, until <Time at={right.expires} /></>}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
