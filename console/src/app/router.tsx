// Which address shows which screen. Screens are loaded when they are first opened.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, retainSearchParams,
} from "@tanstack/react-router";
import { readSession, sessionKey } from "~/api/session";
import { Notices } from "~/parts/Notices";
import { Broken, NotFound, Opening } from "./Fallbacks";
import { Shell } from "./Shell";

interface Context {
  readonly queries: QueryClient;
}

/** Everything in the address's query is text; a screen says which of it it knows. */
function texts<K extends string>(...names: readonly K[]): (search: Record<string, unknown>) => { [N in K]?: string } {
  return (search) => {
    const known: { [N in K]?: string } = {};
    for (const name of names) {
      const value = search[name];
      if (typeof value === "string" && value !== "") known[name] = value;
    }
    return known;
  };
}

const root = createRootRouteWithContext<Context>()({
  component: () => (
    <>
      <Outlet />
      <Notices />
    </>
  ),
  validateSearch: texts("as_of"),
  search: { middlewares: [retainSearchParams(["as_of"])] },
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: texts("next"),
  component: lazyRouteComponent(() => import("~/screens/sign-in/SignIn"), "SignIn"),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome",
  component: lazyRouteComponent(() => import("~/screens/sign-in/Welcome"), "Welcome"),
});

/** Everything that needs a person. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    // A one-time link is `/#/welcome/TOKEN`: what follows the # is in no server's log.
    if (location.hash.startsWith("/welcome/")) throw redirect({ to: "/welcome", hash: location.hash, replace: true });
    let session;
    try {
      session = await context.queries.ensureQueryData({ queryKey: sessionKey, queryFn: readSession });
    } catch {
      throw redirect({ to: "/sign-in", search: location.pathname === "/" ? {} : { next: location.href } });
    }
    if (session.purpose === "enrol") throw redirect({ to: "/welcome" });
  },
});

const inShell = () => shell;

const routes = [
  createRoute({ getParentRoute: inShell, path: "/", component: lazyRouteComponent(() => import("~/screens/overview/Overview"), "Overview") }),
  createRoute({
    getParentRoute: inShell,
    path: "/inventory",
    validateSearch: texts("q", "view", "sort"),
    component: lazyRouteComponent(() => import("~/screens/inventory/Inventory"), "Inventory"),
  }),
  createRoute({ getParentRoute: inShell, path: "/inventory/$sha256", component: lazyRouteComponent(() => import("~/screens/certificate/Certificate"), "Certificate") }),
  createRoute({ getParentRoute: inShell, path: "/assets", validateSearch: texts("q", "udi", "kind", "state", "criticality", "segment"), component: lazyRouteComponent(() => import("~/screens/assets/Assets"), "Assets") }),
  createRoute({ getParentRoute: inShell, path: "/assets/$id", component: lazyRouteComponent(() => import("~/screens/assets/Asset"), "Asset") }),
  createRoute({ getParentRoute: inShell, path: "/discovery", validateSearch: texts("tab", "what", "segment", "show", "rule", "severity", "owner", "since"), component: lazyRouteComponent(() => import("~/screens/discovery/Discovery"), "Discovery") }),
  // What the API calls /findings is a part of discovery.
  createRoute({ getParentRoute: inShell, path: "/findings", validateSearch: texts("rule", "segment", "since"), beforeLoad: ({ search }) => { throw redirect({ to: "/discovery", search: { ...search, tab: "findings" }, replace: true }); } }),
  createRoute({ getParentRoute: inShell, path: "/topology", validateSearch: texts("flow", "flows"), component: lazyRouteComponent(() => import("~/screens/topology/Topology"), "Topology") }),
  createRoute({ getParentRoute: inShell, path: "/requests", validateSearch: texts("show", "state", "kind"), component: lazyRouteComponent(() => import("~/screens/requests/Requests"), "Requests") }),
  createRoute({ getParentRoute: inShell, path: "/requests/$id", component: lazyRouteComponent(() => import("~/screens/requests/Request"), "Request") }),
  createRoute({ getParentRoute: inShell, path: "/authorities", validateSearch: texts("profile"), component: lazyRouteComponent(() => import("~/screens/authorities/Authorities"), "Authorities") }),
  createRoute({ getParentRoute: inShell, path: "/audit", validateSearch: texts("who", "action", "object", "outcome", "since", "until"), component: lazyRouteComponent(() => import("~/screens/audit/Audit"), "Audit") }),
  createRoute({ getParentRoute: inShell, path: "/audit/$seq", component: lazyRouteComponent(() => import("~/screens/audit/Entry"), "Entry") }),
  createRoute({ getParentRoute: inShell, path: "/radar", component: lazyRouteComponent(() => import("~/screens/radar/Radar"), "Radar") }),
  createRoute({ getParentRoute: inShell, path: "/settings/people/$id", component: lazyRouteComponent(() => import("~/screens/settings/PersonPage"), "PersonPage") }),
  createRoute({ getParentRoute: inShell, path: "/settings", validateSearch: texts("tab"), component: lazyRouteComponent(() => import("~/screens/settings/Settings"), "Settings") }),
] as const;

const tree = root.addChildren([signIn, welcome, shell.addChildren(routes)]);

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: "intent",
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: NotFound,
    defaultPendingComponent: Opening,
    // Plain texts in the address, so that people and other programs can write them.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(search)) {
        if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
      }
      const text = query.toString();
      return text === "" ? "" : `?${text}`;
    },
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
