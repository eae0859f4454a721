import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Assets() {
  return (
    <Page title="Assets" about="Devices and servers, and what they hold">
      <Empty icon="asset" title="This screen is not built yet" command="ward asset list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
