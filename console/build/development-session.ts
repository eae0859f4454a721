// Answers `GET /api/v1/session` in the development server when it works with a pasted token: a token has no session.
import type { Plugin } from "vite";

export function developmentSession(token: string | undefined): Plugin {
  return {
    name: "development-session",
    apply: "serve",
    configureServer(server) {
      if (token === undefined) return;
      server.middlewares.use("/api/v1/session", (request, response, next) => {
        if (request.method !== "GET" || (request.url ?? "/") !== "/") return next();
        const hours = (n: number) => Date.now() + n * 3_600_000;
        response.setHeader("content-type", "application/json");
        response.end(
          JSON.stringify({
            person: { id: "developer", name: "Developer (token)", email: null },
            grants: [{ role: "admin", scope: {} }],
            actions: ["*"],
            via: "token",
            purpose: "work",
            since: hours(0),
            expires: hours(8),
            idle_expires: hours(8),
            stepped_up_until: null,
            csrf: "development",
            passkeys: 1,
            recovery_codes: 10,
          }),
        );
      });
    },
  };
}
