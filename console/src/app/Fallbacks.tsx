// What stands where a screen cannot: it broke, it does not exist, it is on its way.
import { Button } from "@mantine/core";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { ProblemPanel } from "~/parts/ProblemPanel";

export function Broken({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  // A server that was updated no longer has the old screens' files: only a reload helps.
  const text = error instanceof Error ? error.message : "";
  const isStale = /dynamically imported module|module script/i.test(text);
  return (
    <Page title={isStale ? "Ward was updated" : "This screen broke"}>
      {isStale ? (
        <Empty icon="renew" title="The console of this tab is older than the server" actions={<Button onClick={() => window.location.reload()}>Reload</Button>}>
          Nothing is lost but what was typed on this screen.
        </Empty>
      ) : (
        <ProblemPanel
          error={error}
          onRetry={() => {
            reset();
            void router.invalidate();
          }}
        />
      )}
    </Page>
  );
}

export function NotFound() {
  return (
    <Page title="There is no such screen">
      <Empty icon="search" title="Nothing has this address" actions={<Link to="/">To the overview</Link>}>
        The link may be old or mistyped. Ctrl K finds every screen and every saved view.
      </Empty>
    </Page>
  );
}

export function Opening() {
  return <p className="quiet" role="status">Opening…</p>;
}
