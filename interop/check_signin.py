#!/usr/bin/env python3
"""Sign-in against other people's software (R07, R37): passkeys as Yubico's fido2 library writes them, with every algorithm that
Ward offers, and OpenID Connect with npm's oidc-provider, through the redirects that a browser would follow."""

import base64
import http.cookiejar
import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2.cose import ES256, ES384, EdDSA, RS256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from hospital import ROOT, START_SECONDS, Checks, Hospital, eventually, free_port

MODULES = ROOT / ".tmp/oidc"
UP, UV = AuthenticatorData.FLAG.UP, AuthenticatorData.FLAG.UV


def encoded(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """Cookies, redirects by hand, and the headers that a page of Ward would send."""

    def __init__(self, ward, origin):
        self.ward, self.origin, self.csrf = ward, origin, None
        self.jar = http.cookiejar.CookieJar()
        context = ssl.create_default_context(cafile=str(ward.root))
        self.opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context),
                                                  urllib.request.HTTPCookieProcessor(self.jar))

    def ask(self, method, url, body=None):
        url = url if url.startswith("http") else self.origin + url
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} if method != "GET" else {}
        if self.csrf and method != "GET":
            headers["X-Ward-CSRF"] = self.csrf
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as answer:
                status, headers, content = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, headers, content = error.code, error.headers, error.read()
        if "json" in headers.get("Content-Type", ""):
            content = json.loads(content)
        if isinstance(content, dict) and content.get("csrf"):
            self.csrf = content["csrf"]
        return status, headers, content

    def follow(self, url, most=12):
        """Goes where it is sent until Ward is back on a page of its own; gives the last answer."""
        for _ in range(most):
            status, headers, content = self.ask("GET", url)
            if status not in (302, 303, 307):
                return status, headers, content
            url = urllib.parse.urljoin(url if url.startswith("http") else self.origin + url, headers["Location"])
            if urllib.parse.urlsplit(url).path == "/inventory":
                return status, headers, content
        raise SystemExit("the redirects do not end")


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Authenticator:
    """Messages by Yubico's library, signatures by pyca/cryptography."""

    def __init__(self, origin, algorithm):
        self.origin, self.algorithm, self.counter, self.flags = origin, algorithm, 0, UP | UV
        self.id, self.handle = os.urandom(48), None
        self.key = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()), "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
                    "EdDSA": ed25519.Ed25519PrivateKey.generate,
                    "RS256": lambda: rsa.generate_private_key(65537, 2048)}[algorithm]()

    def cose(self):
        kind = {"ES256": ES256, "ES384": ES384, "EdDSA": EdDSA, "RS256": RS256}[self.algorithm]
        return kind.from_cryptography_key(self.key.public_key())

    def sign(self, message):
        match self.algorithm:
            case "ES256": return self.key.sign(message, ec.ECDSA(hashes.SHA256()))
            case "ES384": return self.key.sign(message, ec.ECDSA(hashes.SHA384()))
            case "EdDSA": return self.key.sign(message)
            case _: return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def data(self, rp_id, credential=None):
        self.counter += 1
        digest = hashes.Hash(hashes.SHA256())
        digest.update(rp_id.encode())
        flags = self.flags | (AuthenticatorData.FLAG.AT if credential else 0)
        return AuthenticatorData.create(digest.finalize(), flags, self.counter, credential or b"")

    def create(self, options):
        self.handle = options["user"]["id"]
        client = CollectedClientData.create("webauthn.create", decoded(options["challenge"]), self.origin)
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, self.cose())
        attestation = AttestationObject.create("none", self.data(options["rp"]["id"], credential), {})
        return {"id": encoded(self.id), "rawId": encoded(self.id), "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": encoded(client), "attestationObject": encoded(attestation), "transports": ["usb"]}}

    def get(self, options):
        client = CollectedClientData.create("webauthn.get", decoded(options["challenge"]), self.origin)
        data = self.data(options["rpId"])
        return {"id": encoded(self.id), "rawId": encoded(self.id), "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": encoded(client), "authenticatorData": encoded(data),
                             "signature": encoded(self.sign(data + client.hash)), "userHandle": self.handle}}


def register(browser, token, authenticator):
    """The status of each step: a link used, a passkey registered."""
    used = browser.ask("POST", "/api/v1/sign-in/invitation", {"token": token})[0]
    status, _, started = browser.ask("POST", "/api/v1/session/passkeys/start", {})
    if status != 200:
        return used, status
    body = {"ceremony": started["ceremony"], "credential": authenticator.create(started["publicKey"]), "name": authenticator.algorithm}
    return used, browser.ask("POST", "/api/v1/session/passkeys/finish", body)[0]


def assertion(browser, step, authenticator):
    _, _, started = browser.ask("POST", f"/api/v1/{step}/start", {})
    body = {"ceremony": started["ceremony"], "credential": authenticator.get(started["publicKey"])}
    return browser.ask("POST", f"/api/v1/{step}/finish", body)


def check_passkeys(checks, ward, origin):
    for algorithm in ("ES256", "EdDSA", "ES384", "RS256"):
        url = ward.ward_json("person", "invite", "administrator")["url"]
        checks.that(f"{algorithm}: what lets in is in the fragment", urllib.parse.urlsplit(url).path == "/", url)
        token = urllib.parse.urlsplit(url).fragment.rsplit("/", 1)[1]
        authenticator = Authenticator(origin, algorithm)
        checks.equal(f"{algorithm}: a link, then a passkey", register(Browser(ward, origin), token, authenticator), (200, 201))
        checks.equal(f"{algorithm}: the link a second time", register(Browser(ward, origin), token, authenticator)[0], 403)
        browser = Browser(ward, origin)
        status, headers, session = assertion(browser, "sign-in/passkey", authenticator)
        checks.equal(f"{algorithm}: signed in", (status, session.get("via")), (200, "passkey"))
        checks.that(f"{algorithm}: a strict cookie", "SameSite=Strict" in headers["Set-Cookie"], headers["Set-Cookie"])
        before = session["csrf"]
        status, _, session = assertion(browser, "session/step-up", authenticator)
        checks.that(f"{algorithm}: stepped up, under another cookie", status == 200 and session["csrf"] != before, session)
        authenticator.flags = UP
        status, _, problem = assertion(Browser(ward, origin), "sign-in/passkey", authenticator)
        checks.equal(f"{algorithm}: without user verification", (status, problem.get("rule")), (403, "passkey.user-verification"))
        authenticator.flags, authenticator.counter = UP | UV, 0
        status, _, problem = assertion(Browser(ward, origin), "sign-in/passkey", authenticator)
        checks.equal(f"{algorithm}: a counter going backwards", (status, problem.get("rule")), (403, "passkey.counter"))
    listed = ward.ward_json("session", "list", "--person", "administrator")
    checks.equal("sessions are listed, five of one person at most", len(listed), 5)
    checks.equal("and ended", ward.ward_json("session", "end", "--person", "administrator")["ended"], 5)
    checks.equal("at once", browser.ask("GET", "/api/v1/session")[0], 401)


def client(name, algorithm, origin, secret):
    client = {"client_id": f"ward-{name}", "redirect_uris": [f"{origin}/auth/oidc/{name}/callback"], "response_types": ["code"],
              "grant_types": ["authorization_code"], "id_token_signed_response_alg": algorithm, "scope": "openid profile email groups"}
    return client | ({"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"})


def start_provider(ward, port, clients):
    account = {"sub": "248289761001", "name": "Jo Doe", "preferred_username": "jo.doe", "email": "jo@example.org",
               "email_verified": True, "groups": ["pki-officers"]}
    settings = ward.folder / "provider.json"
    settings.write_text(json.dumps({"port": port, "clients": clients, "account": account}))
    log = open(ward.folder / "provider.log", "ab")
    process = subprocess.Popen(["node", str(pathlib.Path(__file__).parent / "signin/provider.mjs"), str(MODULES)],
                               stdin=open(settings, "rb"), stdout=log, stderr=log)
    ward.processes.append(process)

    def answers():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=5).close()
            return True
        except OSError:
            return False
    if not eventually(START_SECONDS, answers):
        raise SystemExit((ward.folder / "provider.log").read_text()[-3000:])


def configure(ward, port, providers):
    text = (ward.data / "ward.toml").read_text()
    for name, secret, link, groups in providers:
        text += f'\n[[sign_in.oidc]]\nname = "{name}"\nissuer = "http://127.0.0.1:{port}"\nclient_id = "ward-{name}"\nlink = "{link}"\n'
        text += 'scopes = ["openid", "profile", "email", "groups"]\n'
        if groups:
            text += 'groups_claim = "groups"\n'
        if secret:
            (ward.data / f"{name}.secret").write_text(secret + "\n")
            text += f'client_secret_file = "{name}.secret"\n'
    (ward.data / "ward.toml").write_text(text)


def check_oidc(checks, ward, origin):
    port = free_port()
    secret = "s3cret: a space, a +, a % and an &"
    # Name, secret, rule of linking, groups; and how the provider signs.
    providers = [("rs", secret, "email", False), ("ps", None, "subject", False), ("es", secret, "subject", True)]
    algorithms = {"rs": "RS256", "ps": "PS256", "es": "ES256"}
    configure(ward, port, providers)
    start_provider(ward, port, [client(name, algorithms[name], origin, secret) for name, secret, _, _ in providers])
    ward.server.terminate()
    ward.server.wait(20)
    ward.start()
    ways = Browser(ward, origin).ask("GET", "/api/v1/sign-in")[2]
    checks.equal("the sign-in page offers them", [way["name"] for way in ways["oidc"]], ["rs", "ps", "es"])

    def signed_in(name):
        browser = Browser(ward, origin)
        status, _, content = browser.follow(f"/auth/oidc/{name}/start?next=/inventory")
        text = content.decode(errors="replace") if isinstance(content, bytes) else str(content)
        return browser, status, text

    # The administrator of `ward init` has no address yet: nobody is Jo.
    _, status, text = signed_in("rs")
    checks.that("RS256: nobody has that address", status == 403 and "sign-in.unknown" in text, f"{status} {text}")
    # An administrator writes Jo down.
    ward.ward("person", "create", "jo", "--name", "Jo Doe", "--email", "jo@example.org", "--grant", "auditor")
    browser, status, text = signed_in("rs")
    checks.equal("RS256: signed in by a verified address", status, 303)
    session = browser.ask("GET", "/api/v1/session")[2]
    checks.equal("RS256: as Jo, with what Jo has", (session["person"]["id"], session["via"], session["grants"]),
                 ("jo", "oidc:rs", [{"role": "auditor"}]))
    checks.equal("RS256: signed out", browser.ask("DELETE", "/api/v1/session")[0], 204)
    checks.equal("RS256: a second time by the link", signed_in("rs")[1], 303)
    _, status, text = signed_in("ps")
    checks.that("PS256, a public client: an address is no link there", status == 403 and "sign-in.unknown" in text, f"{status} {text}")
    _, status, text = signed_in("es")
    checks.that("ES256: a group that stands for none", status == 403 and "sign-in.unknown" in text, f"{status} {text}")
    ward.ward("group", "create", "officers", "--label", "RA officers", "--grant", "ra-officer", "--claim", "pki-officers")
    browser, status, text = signed_in("es")
    checks.equal("ES256: let in by the group", status, 303)
    session = browser.ask("GET", "/api/v1/session")[2]
    checks.equal("ES256: as somebody new, with what the group has", (session["person"]["id"], session["grants"]),
                 ("jo.doe", [{"role": "ra-officer"}]))
    events = ward.ward("audit", "show", "--limit", "1000", "--json")
    checks.that("no secret is in the log", secret not in events and "eyJ" not in events)


def main():
    checks = Checks("sign-in")
    with Hospital("signin") as ward:
        origin = f"https://localhost:{ward.port}"
        check_passkeys(checks, ward, origin)
        check_oidc(checks, ward, origin)
    return checks.summary()


if __name__ == "__main__":
    raise SystemExit(main())
