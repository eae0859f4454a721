import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Topology() {
  return (
    <Page title="Topology" about="Sites, segments, devices and the flows between them">
      <Empty icon="topology" title="This screen is not built yet" command="ward flow list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
