import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Discovery() {
  return (
    <Page title="Discovery" about="Segments, scans, coverage and findings">
      <Empty icon="discovery" title="This screen is not built yet" command="ward discover coverage">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
