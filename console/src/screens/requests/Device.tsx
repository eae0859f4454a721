// A device that asked for a certificate and waits: who it says it is, beside what the register knows of it.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "~/api/client";
import { Name } from "~/parts/Name";
import { Facts, Panel } from "~/parts/Panel";
import { ProblemPanel } from "~/parts/ProblemPanel";
import { Status } from "~/parts/Status";
import { Time } from "~/parts/Time";
import { modelOf, type StoredAsset } from "../assets/types";
import type { Registration } from "./types";

export function Device({ registration }: { readonly registration: Registration }) {
  const { asset } = registration;
  const known = useQuery({
    queryKey: ["assets", asset],
    queryFn: () => api.get<StoredAsset>("/api/v1/assets/{id}", { path: { id: asset ?? "" } }),
    enabled: asset !== null,
  });
  const record = known.data?.asset;
  return (
    <Panel title="The device that asks" actions={asset === null ? <Status tone="high">not in the register</Status> : <Status tone="ok">in the register</Status>}>
      {known.error && <ProblemPanel error={known.error} compact />}
      <Facts
        items={[
          ["Serial number", <Name key="s" text={registration.serial} mono />],
          ["It came", <span key="c">by {registration.protocol.toUpperCase()} at <Name text={registration.endpoint} />, <Time at={registration.created} as="minute" /></span>],
          ["From", <Name key="f" text={registration.peer} mono none="not known" />],
          ...(record === undefined
            ? []
            : [
                ["Register says", <Link key="r" to="/assets/$id" params={{ id: record.id }}><Name text={modelOf(record)} none={record.kind} /></Link>] as const,
                ["Owner", <Name key="o" text={record.owner} none="nobody" />] as const,
                ["Place", <Name key="p" text={[record.site, record.department, record.segment].filter((word) => word !== undefined).join(" · ")} />] as const,
                ["Criticality", record.criticality] as const,
              ]),
        ]}
      />
      {asset === null && <p className="small">Agreeing puts it into the register with this serial number. See it with your own eyes first: anybody can send a number.</p>}
    </Panel>
  );
}
