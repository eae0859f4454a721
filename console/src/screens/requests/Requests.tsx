import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Requests() {
  return (
    <Page title="Requests" about="What waits for approval">
      <Empty icon="request" title="This screen is not built yet" command="ward request list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
