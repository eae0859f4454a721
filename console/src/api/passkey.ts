// WebAuthn (W3C Level 3): the server's options in, the browser's answer out, both as JSON with base64url.
import { api, certainly } from "./client";
import { ApiProblem } from "./problem";
import type { PathOf } from "./client";

interface Ceremony {
  readonly ceremony: string;
  readonly publicKey: Record<string, unknown>;
}

type Finish = Extract<PathOf<"post">, `${string}/finish`>;
type Start = Extract<PathOf<"post">, `${string}/start`>;

/** Uses a passkey: for signing in, or to step up. */
export async function askPasskeyAt<T>(start: Start, finish: Finish): Promise<T> {
  const { ceremony, publicKey } = certainly(await api.post<Ceremony>(start));
  const given = await browser(() => navigator.credentials.get({ publicKey: requestOptions(options(publicKey)) }));
  return certainly(await api.post<T>(finish, { body: { ceremony, credential: asJson(given) } }));
}

/** Makes a new passkey on this device. */
export async function registerPasskeyAt<T>(start: Start, finish: Finish, name: string): Promise<T> {
  const { ceremony, publicKey } = certainly(await api.post<Ceremony>(start));
  const made = await browser(() => navigator.credentials.create({ publicKey: creationOptions(options(publicKey)) }));
  return certainly(await api.post<T>(finish, { body: { ceremony, name, credential: asJson(made) } }));
}

/** Some servers wrap the options once more. */
function options(publicKey: Record<string, unknown>): Record<string, unknown> {
  const inner = publicKey["publicKey"];
  return typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : publicKey;
}

function requestOptions(json: Record<string, unknown>): PublicKeyCredentialRequestOptions {
  return PublicKeyCredential.parseRequestOptionsFromJSON(json as unknown as PublicKeyCredentialRequestOptionsJSON);
}

function creationOptions(json: Record<string, unknown>): PublicKeyCredentialCreationOptions {
  return PublicKeyCredential.parseCreationOptionsFromJSON(json as unknown as PublicKeyCredentialCreationOptionsJSON);
}

function asJson(credential: Credential | null): unknown {
  if (!(credential instanceof PublicKeyCredential)) throw failed("The browser gave no passkey.");
  return credential.toJSON();
}

export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === "function" && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function";
}

async function browser(ask: () => Promise<Credential | null>): Promise<Credential | null> {
  if (!hasPasskeys()) throw failed("This browser has no passkeys. Use a current one, over HTTPS.");
  try {
    return await ask();
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError") throw failed("No passkey was given: it was cancelled, or it took too long.");
    if (name === "InvalidStateError") throw failed("This device has a passkey for Ward already. Sign in with it.");
    if (name === "SecurityError") throw failed("The address in the browser is not the one that Ward's passkeys are for.");
    throw failed(error instanceof Error ? error.message : "The passkey failed.");
  }
}

function failed(detail: string): ApiProblem {
  return new ApiProblem({ type: "urn:ward:problem:passkey", title: "The passkey was not used", status: 0, detail });
}
