// Where somebody has looked, where nobody has, what runs now, and what was found wrong (R16, R17).
import { Link, useSearch } from "@tanstack/react-router";
import { useAsOf } from "~/app/as-of";
import { Page } from "~/parts/Page";
import { Coverage } from "./Coverage";
import { Findings } from "./Findings";
import { Scans } from "./Scans";
import { Agents, Segments } from "./Segments";
import "./discovery.css";

const TABS = [
  ["coverage", "Coverage", "Which addresses somebody has looked at, and which never"],
  ["scans", "Scans", "What is looked at now, and what was"],
  ["segments", "Segments and schedules", "What may be sent where, and how often"],
  ["agents", "Agents", "Who looks from within segments"],
  ["findings", "Findings", "What is wrong, the heaviest first"],
] as const;

export function Discovery() {
  const { tab = "coverage" } = useSearch({ from: "/shell/discovery" });
  const asOf = useAsOf();
  const current = TABS.find(([id]) => id === tab) ?? TABS[0];
  return (
    <Page title={current[0] === "coverage" ? "Discovery" : `Discovery: ${current[1].toLowerCase()}`} about={current[2]}>
      <nav aria-label="Parts of discovery" className="discovery-tabs">
        {TABS.map(([id, label]) => (
          <Link key={id} to="/discovery" search={id === "coverage" ? {} : { tab: id }} activeOptions={{ includeSearch: false }} className={id === current[0] ? "discovery-tab is-here" : "discovery-tab"} aria-current={id === current[0] ? "page" : undefined}>{label}</Link>
        ))}
      </nav>
      {current[0] === "coverage" && <Coverage />}
      {current[0] === "scans" && (asOf === undefined ? <Scans /> : <><p className="quiet">Scans say when they were; the list is of now.</p><Scans /></>)}
      {current[0] === "segments" && <Segments />}
      {current[0] === "agents" && <Agents />}
      {current[0] === "findings" && <Findings />}
    </Page>
  );
}
