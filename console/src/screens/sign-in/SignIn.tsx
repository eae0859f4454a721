import { Page } from "~/parts/Page";

export function SignIn() {
  return <Page title="SignIn">soon</Page>;
}
