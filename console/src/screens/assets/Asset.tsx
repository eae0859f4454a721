import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Asset() {
  return (
    <Page title="Asset" about="One device or server">
      <Empty icon="asset" title="This screen is not built yet" command="ward asset show ID">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
