import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Authorities() {
  return (
    <Page title="Authorities" about="Hierarchy, profiles, revocation lists">
      <Empty icon="authority" title="This screen is not built yet" command="ward ca list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
