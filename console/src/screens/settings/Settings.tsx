import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Settings() {
  return (
    <Page title="Settings" about="Passkeys, sessions, people">
      <Empty icon="settings" title="This screen is not built yet" command="ward token list">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
