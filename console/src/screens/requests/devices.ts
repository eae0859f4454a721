// Devices that wait for somebody's word: which request each of them waits for.
import { useQuery } from "@tanstack/react-query";
import { api } from "~/api/client";
import { useMay } from "~/api/session";
import type { Registration, RegistrationPage } from "./types";

/** By the id of the request. Empty for whoever may not see enrolment. */
export function useWaitingDevices(): ReadonlyMap<string, Registration> {
  const may = useMay("read-enrolment");
  const waiting = useQuery({
    queryKey: ["requests", "devices"],
    queryFn: () => api.get<RegistrationPage>("/api/v1/enrolment/registrations", { query: { state: "pending", limit: 1000 } }),
    enabled: may,
  });
  return new Map((waiting.data?.registrations ?? []).flatMap((each) => (each.approval === null ? [] : [[each.approval, each]])));
}
