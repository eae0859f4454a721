// The console's only way to Ward: fetch on /api/v1, with paths held against the OpenAPI document at compile time.
//
// What every call has in common is decided here: the CSRF header of a session, 401 → sign-in, `step-up-required` → a
// passkey and once more, 202 → it waits for somebody's approval.

import { isSomebodyThere } from "./presence";
import type { paths } from "./schema.gen";
import { ApiProblem, type Problem } from "./problem";

type Method = "get" | "post" | "put" | "delete";

/** Paths that docs/api.md promises and whose rooms have not put them into the OpenAPI document yet. */
type Promised =
  // The log's public documents (docs/api.md): beside /api/v1, since other people's tools read them there.
  | "/log/vkey"
  | "/api/v1/audit/consistency"
  | "/api/v1/session"
  | "/api/v1/sessions"
  | "/api/v1/sessions/{id}"
  | "/api/v1/sign-in"
  | "/api/v1/sign-in/passkey/start"
  | "/api/v1/sign-in/passkey/finish"
  | "/api/v1/sign-in/recovery"
  | "/api/v1/sign-in/invitation"
  | "/api/v1/sign-in/certificate"
  | "/api/v1/session/step-up/start"
  | "/api/v1/session/step-up/finish"
  | "/api/v1/session/passkeys"
  | "/api/v1/session/passkeys/start"
  | "/api/v1/session/passkeys/finish"
  | "/api/v1/session/passkeys/{id}"
  | "/api/v1/session/recovery-codes"
  | "/api/v1/invitations"
  | "/api/v1/people"
  | "/api/v1/people/{id}"
  | "/api/v1/groups"
  | "/api/v1/groups/{name}"
  | "/api/v1/approval-policies"
  | "/api/v1/approval-policies/{name}"
  | "/api/v1/access-review"
  | "/api/v1/overview"
  | "/api/v1/radar"
  | "/api/v1/topology";

type Has<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, infer Operation> ? ([Operation] extends [undefined | never] ? never : P) : never;
}[keyof paths];

export type PathOf<M extends Method> = (Has<M> & string) | Promised;

type Value = string | number | boolean | null | undefined;

export interface Call {
  readonly path?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, Value>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** What came of a change: done, or kept until somebody else has approved it. */
export type Outcome<T> =
  | { readonly done: true; readonly data: T }
  | { readonly done: false; readonly request: string; readonly url: string | undefined };

interface Hooks {
  /** The session is over: whoever draws the page shows the sign-in. */
  signedOut(): void;
  /** Asks for the passkey; resolves to whether it was given. */
  stepUp(): Promise<boolean>;
}

let hooks: Hooks = { signedOut: () => undefined, stepUp: () => Promise.resolve(false) };
let csrf: string | undefined;

export function listen(to: Hooks): void {
  hooks = to;
}

export function keepCsrf(token: string | undefined): void {
  csrf = token;
}

export const api = {
  async get<T>(path: PathOf<"get">, call: Call = {}): Promise<T> {
    return body<T>(await send("GET", path, call));
  },
  post<T>(path: PathOf<"post">, call: Call = {}): Promise<Outcome<T>> {
    return change<T>("POST", path, call);
  },
  put<T>(path: PathOf<"put">, call: Call = {}): Promise<Outcome<T>> {
    return change<T>("PUT", path, call);
  },
  delete<T>(path: PathOf<"delete">, call: Call = {}): Promise<Outcome<T>> {
    return change<T>("DELETE", path, call);
  },
  /** For downloads and images: the address itself. */
  href(path: PathOf<"get">, call: Call = {}): string {
    return address(path, call);
  },
};

/** Unwraps a change that no policy can hold back (sign-in, sessions). */
export function certainly<T>(outcome: Outcome<T>): T {
  if (outcome.done) return outcome.data;
  throw new ApiProblem({
    type: "urn:ward:problem:console",
    title: "It waits for approval",
    status: 202,
    detail: `It became request ${outcome.request} and has not been done yet.`,
  });
}

async function change<T>(method: string, path: string, call: Call): Promise<Outcome<T>> {
  const response = await send(method, path, call);
  const data = await body<T>(response);
  if (response.status === 202) {
    const waiting = data as { request?: unknown; url?: unknown };
    if (typeof waiting.request === "string") {
      return { done: false, request: waiting.request, url: typeof waiting.url === "string" ? waiting.url : undefined };
    }
  }
  return { done: true, data };
}

async function send(method: string, path: string, call: Call): Promise<Response> {
  const asked = csrf;
  const first = await ask(method, path, call);
  if (first.ok) return first;
  const problem = await read(first);
  // An answer to what was asked before somebody signed in says nothing about their session.
  if (first.status === 401 && !path.startsWith("/api/v1/sign-in") && asked === csrf) hooks.signedOut();
  if (problem.kind !== "step-up-required" && problem.problem.rule !== "step-up-required") throw problem;
  if (!(await hooks.stepUp())) throw problem;
  const second = await ask(method, path, call);
  if (second.ok) return second;
  throw await read(second);
}

async function ask(method: string, path: string, call: Call): Promise<Response> {
  const headers = new Headers({ accept: "application/json, application/problem+json", ...call.headers });
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (call.signal !== undefined) init.signal = call.signal;
  if (method !== "GET" && csrf !== undefined) headers.set("x-ward-csrf", csrf);
  // What the page reads by itself is no use of the session, or a page left open would never be signed out (docs/sign-in.md).
  if (method === "GET" && !isSomebodyThere()) headers.set("x-ward-background", "1");
  if (call.body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(call.body);
  }
  try {
    return await fetch(address(path, call), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiProblem({
      type: "urn:ward:problem:network",
      title: "Ward cannot be reached",
      status: 0,
      detail: "The request got no answer: the network is down, or Ward is being restarted.",
    });
  }
}

function address(template: string, call: Call): string {
  const path = template.replace(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(String(call.path?.[name] ?? "")));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function body<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return (isJson ? await response.json() : await response.text()) as T;
}

async function read(response: Response): Promise<ApiProblem> {
  try {
    const problem = (await response.json()) as Partial<Problem>;
    if (typeof problem.detail === "string" && typeof problem.type === "string") {
      return new ApiProblem({ title: "Refused", status: response.status, ...problem } as Problem);
    }
  } catch {
    // Not a problem document: what follows says as much as is known.
  }
  return new ApiProblem({
    type: "urn:ward:problem:internal",
    title: "An answer that Ward did not write",
    status: response.status,
    detail: `HTTP ${response.status} ${response.statusText}, without a problem document: something stands between this page and Ward.`,
    request_id: response.headers.get("x-request-id"),
  });
}
