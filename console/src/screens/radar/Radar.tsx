import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";

export function Radar() {
  return (
    <Page title="Health radar" about="Posture on eight axes">
      <Empty icon="radar" title="This screen is not built yet" command="ward inventory risk">
        The command line and the API have it already.
      </Empty>
    </Page>
  );
}
