// The screens that the navigation, the palette and the keyboard know. A screen that is not here is reached by links only.
import { may, maySegments, mayWhole } from "~/api/session";
import type { Session } from "~/api/types";
import type { IconName } from "~/parts/Icon";

export interface Screen {
  readonly to: string;
  readonly label: string;
  readonly icon: IconName;
  /** What it answers; shown in the palette. */
  readonly about: string;
  /** The action without which the screen shows nothing (docs/access.md). */
  readonly needs?: string;
  /** It counts the whole house, and shows nothing to whoever may see a part of it; or it shows segments as a whole. */
  readonly of?: "house" | "segments";
  /** Pressed after `g`. */
  readonly key: string;
}

export interface Group {
  readonly label: string;
  readonly screens: readonly Screen[];
}

export const GROUPS: readonly Group[] = [
  {
    label: "Now",
    screens: [
      { to: "/", label: "Overview", icon: "overview", about: "What needs me today", key: "o" },
      { to: "/requests", label: "Requests", icon: "request", about: "What waits for somebody's approval", needs: "read-requests", key: "r" },
      { to: "/radar", label: "Health radar", icon: "radar", about: "Posture on eight axes, and what would change it", needs: "read-inventory", of: "house", key: "h" },
    ],
  },
  {
    label: "What there is",
    screens: [
      { to: "/inventory", label: "Inventory", icon: "inventory", about: "Every certificate, whoever issued it", needs: "read-inventory", key: "i" },
      { to: "/assets", label: "Assets", icon: "asset", about: "Devices and servers, and what they hold", needs: "read-assets", key: "a" },
      { to: "/discovery", label: "Discovery", icon: "discovery", about: "Segments, scans, coverage, findings", needs: "read-inventory", key: "d" },
      { to: "/topology", label: "Topology", icon: "topology", about: "Sites, segments, devices and the flows between them", needs: "read-inventory", of: "segments", key: "t" },
    ],
  },
  {
    label: "Authority",
    screens: [
      { to: "/authorities", label: "Authorities", icon: "authority", about: "Hierarchy, profiles, revocation lists", needs: "read-authorities", key: "c" },
      { to: "/audit", label: "Audit", icon: "audit", about: "Who did what, and the proof of it", needs: "read-audit", key: "l" },
      { to: "/settings", label: "Settings", icon: "settings", about: "Your passkeys and sessions, people, roles", key: "s" },
    ],
  },
];

export const SCREENS: readonly Screen[] = GROUPS.flatMap((group) => group.screens);

/** Whether the screen shows anything to whoever has this session. */
export function isOffered(screen: Screen, session: Session | undefined): boolean {
  const allowed = screen.needs === undefined || may(session, screen.needs);
  if (screen.of === undefined) return allowed;
  return allowed && (screen.of === "house" ? mayWhole(session) : maySegments(session));
}
