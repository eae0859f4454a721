import { Page } from "~/parts/Page";

export function Inventory() {
  return <Page title="Inventory">soon</Page>;
}
