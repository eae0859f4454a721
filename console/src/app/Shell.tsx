// The frame around every screen: navigation, search, time, person. On a phone the navigation is a drawer.
import { Drawer } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { useIsLive, useLiveUpdates } from "~/api/live";
import { useSession } from "~/api/session";
import { Icon } from "~/parts/Icon";
import { AsOfControl, PastBand } from "./AsOf";
import { GROUPS, isOffered } from "./nav";
import { PersonMenu } from "./PersonMenu";
import { useGoKeys } from "./go-keys";
import { Search } from "./Search";
import { useAsOf } from "./as-of";
import "./shell.css";

const Palette = lazy(() => import("./Palette"));

export function Shell() {
  const [isPalette, palette] = useDisclosure(false);
  const [isDrawer, drawer] = useDisclosure(false);
  const pathname = useLocation({ select: (location) => location.pathname });
  const asOf = useAsOf();
  useHotkeys([["mod+K", palette.toggle], ["?", palette.open]], []);
  useGoKeys();
  useLiveUpdates(asOf === undefined);
  const closeDrawer = drawer.close;
  useEffect(closeDrawer, [pathname, closeDrawer]);
  return (
    <div className="shell">
      <a className="skip" href="#main">Skip to content</a>
      <aside className="rail">
        <Brand />
        <Navigation />
        <LiveState />
      </aside>
      <header className="bar">
        <button type="button" className="bar-button bar-menu" aria-label="Navigation" onClick={drawer.open}>
          <Icon name="menu" size={18} />
        </button>
        <Search />
        <button type="button" className="bar-button bar-palette" onClick={palette.open} aria-label="Ctrl K, commands" aria-keyshortcuts="Control+K">
          <kbd>Ctrl K</kbd>
        </button>
        <AsOfControl />
        <PersonMenu />
      </header>
      <PastBand />
      <main id="main" className="content" tabIndex={-1}>
        <Outlet />
      </main>
      <Drawer opened={isDrawer} onClose={drawer.close} size={270} title="Ward" classNames={{ content: "rail-drawer", header: "rail-drawer" }}>
        <Navigation />
      </Drawer>
      {isPalette && (
        <Suspense fallback={null}>
          <Palette onClose={palette.close} />
        </Suspense>
      )}
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className="brand" aria-label="Ward, overview">
      <img src="/ward.svg" alt="" width={24} height={24} />
      <span>Ward</span>
    </Link>
  );
}

function Navigation() {
  const session = useSession();
  return (
    <nav aria-label="Screens" className="nav">
      {GROUPS.map((group) => {
        const screens = group.screens.filter((screen) => isOffered(screen, session));
        if (screens.length === 0) return null;
        return (
          <div key={group.label}>
            <h2 className="nav-group">{group.label}</h2>
            <ul>
              {screens.map((screen) => (
                <li key={screen.to}>
                  <Link to={screen.to} className="nav-link" activeProps={{ className: "nav-link is-here", "aria-current": "page" }} activeOptions={{ exact: screen.to === "/", includeSearch: false }}>
                    <Icon name={screen.icon} />
                    {screen.label}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

const LIVE = { live: "Follows Ward live", connecting: "Connecting…", off: "Not live: reload to see what is new" } as const;

function LiveState() {
  const live = useIsLive();
  if (useAsOf() !== undefined) return <p className="live" role="status">The past stays as it was</p>;
  return (
    <p className="live" role="status">
      <span className={`live-dot live-${live}`} aria-hidden="true" />
      {LIVE[live]}
    </p>
  );
}
