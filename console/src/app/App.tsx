// What everything stands in: theme, data, the session's consequences, routes.
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { listen } from "~/api/client";
import { ApiProblem } from "~/api/problem";
import { sessionKey } from "~/api/session";
import { StepUpDialog } from "./StepUp";
import { askStepUp } from "./step-up";
import { makeRouter } from "./router";
import { theme, variables } from "./theme";

const schemes = localStorageColorSchemeManager({ key: "ward.scheme" });

/** The nonce of this page's Content-Security-Policy; the server writes a new one into each answer. */
function nonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
}

// Mantine's dialogs lock scrolling by a library that looks for its nonce under this name.
Object.assign(globalThis, { __webpack_nonce__: nonce() });

function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        // A refusal stays one; what did not get through is tried once more.
        retry: (failures, error) => failures < 1 && (!(error instanceof ApiProblem) || error.problem.status === 0 || error.problem.status === 503),
        refetchOnWindowFocus: false,
      },
    },
  });
}

export function App() {
  const [queries] = useState(makeQueries);
  const [router] = useState(() => makeRouter(queries));
  useEffect(() => {
    listen({
      signedOut() {
        queries.removeQueries({ queryKey: sessionKey });
        const { pathname, href } = router.state.location;
        // Whoever opens a one-time link has no session yet.
        if (pathname !== "/sign-in" && pathname !== "/welcome") void router.navigate({ to: "/sign-in", search: { next: href } });
      },
      stepUp: askStepUp,
    });
    return router.subscribe("onRendered", () => document.getElementById("opening")?.remove());
  }, [queries, router]);
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" colorSchemeManager={schemes} getStyleNonce={nonce}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <StepUpDialog />
      </QueryClientProvider>
    </MantineProvider>
  );
}
