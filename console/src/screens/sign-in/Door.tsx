// What both pages at the door have around them: the house's sign, one card, and what Ward is.
import type { ReactNode } from "react";
import { Page } from "~/parts/Page";
import "./sign-in.css";

export function Door({ title, about, children }: { readonly title: string; readonly about: string; readonly children: ReactNode }) {
  return (
    <main className="door">
      <div className="door-card">
        <img src="/ward.svg" alt="Ward" width={40} height={40} />
        <Page title={title} about={about}>{children}</Page>
      </div>
      <p className="door-foot">Every attempt is in the audit log. Passkeys never leave your device.</p>
    </main>
  );
}
