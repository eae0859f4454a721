import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Request() {
  return (
    <Page title="Request" about="One request">
      <Empty icon="request" title="This screen is not built yet" command="ward request show ID">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
