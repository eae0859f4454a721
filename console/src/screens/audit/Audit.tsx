import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Audit() {
  return (
    <Page title="Audit" about="Who did what, and the proof of it">
      <Empty icon="audit" title="This screen is not built yet" command="ward audit list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
