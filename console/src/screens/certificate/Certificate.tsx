import { Page } from "~/parts/Page";

export function Certificate() {
  return <Page title="Certificate">soon</Page>;
}
