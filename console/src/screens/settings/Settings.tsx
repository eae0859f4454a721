// What is mine, and for those who may: people, groups, policies, tokens, and who could do what.
import { Link, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { may, useSession } from "~/api/session";
import { Empty } from "~/parts/Empty";
import { Page } from "~/parts/Page";
import { Account } from "./Account";
import { Groups } from "./Groups";
import { People } from "./People";
import { Policies } from "./Policies";
import { Review } from "./Review";
import { Tokens } from "./Tokens";
import "./settings.css";

interface Tab {
  readonly id: string;
  readonly label: string;
  readonly needs?: string;
  readonly draw: () => ReactNode;
}

const TABS: readonly Tab[] = [
  { id: "account", label: "My account", draw: () => <Account /> },
  { id: "people", label: "People", needs: "read-people", draw: () => <People /> },
  { id: "groups", label: "Groups", needs: "read-people", draw: () => <Groups /> },
  { id: "policies", label: "Approval policies", needs: "read-policies", draw: () => <Policies /> },
  { id: "tokens", label: "Tokens", needs: "read-tokens", draw: () => <Tokens /> },
  { id: "review", label: "Access review", needs: "review-access", draw: () => <Review /> },
];

export function Settings() {
  const { tab = "account" } = useSearch({ from: "/shell/settings" });
  const session = useSession();
  const shown = TABS.filter((each) => each.needs === undefined || may(session, each.needs));
  const current = shown.find((each) => each.id === tab);
  return (
    <Page title="Settings" about="Your way in, and for those who may, everybody’s">
      <nav className="settings-tabs" aria-label="Settings">
        {shown.map((each) => (
          <Link key={each.id} to="/settings" search={each.id === "account" ? {} : { tab: each.id }} aria-current={each.id === current?.id ? "page" : undefined} className={each.id === current?.id ? "is-current" : ""}>
            {each.label}
          </Link>
        ))}
      </nav>
      {current === undefined ? <Empty icon="settings" title="Your role does not show this">Ask somebody who manages people. What you may see is above.</Empty> : current.draw()}
    </Page>
  );
}
