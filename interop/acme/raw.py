"""ACME by hand: JWS built member by member, so that each can be wrong, over one TLS connection.

It uses `cryptography` for keys and nothing of Ward's or of any ACME library. Also the client of the two-node test,
where it is right all the time.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import ssl
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lab import Quiet

ERROR = "urn:ietf:params:acme:error:"
PATIENCE = 60
CURVES = {"ES256": (ec.SECP256R1, "P-256", hashes.SHA256, 32), "ES384": (ec.SECP384R1, "P-384", hashes.SHA384, 48),
          "ES512": (ec.SECP521R1, "P-521", hashes.SHA512, 66)}


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).decode().rstrip("=")


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """An account key of any algorithm that RFC 8555 clients have."""

    def __init__(self, alg="ES256", private=None, bits=2048):
        self.alg = alg
        if private is not None:
            self.private = private
        elif alg in CURVES:
            self.private = ec.generate_private_key(CURVES[alg][0]())
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, bits)

    @property
    def jwk(self):
        public = self.private.public_key()
        if self.alg in CURVES:
            size, numbers = CURVES[self.alg][3], public.public_numbers()
            return {"crv": CURVES[self.alg][1], "kty": "EC", "x": number(numbers.x, size), "y": number(numbers.y, size)}
        if self.alg == "EdDSA":
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(public.public_bytes_raw())}
        numbers = public.public_numbers()
        return {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}

    @property
    def thumbprint(self):
        """RFC 7638."""
        return b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())

    def sign(self, message):
        if self.alg in CURVES:
            size = CURVES[self.alg][3]
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(CURVES[self.alg][2]())))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.alg == "EdDSA":
            return self.private.sign(message)
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


def jws(key, protected, payload, signature=None, **more):
    """The flattened serialisation (RFC 7515 section 7.2.2). `protected` and `payload` may be ready-made text or bytes."""
    protected = b64(protected if isinstance(protected, (str, bytes)) else json.dumps(protected))
    payload = b64(payload if isinstance(payload, (str, bytes)) else json.dumps(payload))
    if signature is None:
        signature = b64(key.sign(f"{protected}.{payload}".encode()))
    return {"protected": protected, "payload": payload, "signature": signature} | more


def bound(kid, mac, url, key, alg="HS256", secret=None, **header):
    """externalAccountBinding (RFC 8555 section 7.3.4)."""
    protected = b64(json.dumps({"alg": alg, "kid": kid, "url": url} | header))
    payload = b64(json.dumps(key.jwk))
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(alg, "sha256")
    signature = hmac.digest(secret if secret is not None else unb64(mac), f"{protected}.{payload}".encode(), digest)
    return {"protected": protected, "payload": payload, "signature": b64(signature)}


class Answer:
    def __init__(self, method, status, headers, body):
        self.method, self.status, self.headers, self.body = method, status, headers, body
        self.content_type = headers.get("Content-Type", "")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers.get("Location")

    @property
    def problem(self):
        """What follows urn:ietf:params:acme:error:, or what is there instead of it."""
        if not self.content_type.startswith("application/problem+json"):
            return f"({self.content_type or 'no content type'})"
        kind = self.json.get("type", "")
        return kind.removeprefix(ERROR) if kind.startswith(ERROR) else f"({kind or 'no type'})"

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Refused(Exception):
    def __init__(self, what, answer):
        super().__init__(f"{what}: {answer!r}")
        self.answer = answer


class Wire:
    """A connection to a server, made again whenever it was closed."""

    def __init__(self, ca):
        self.context, self.connections, self.lock = ssl.create_default_context(cafile=str(ca)), {}, threading.Lock()

    def request(self, method, url, body=None, headers=None):
        """Tries once more on a connection that the server closed while it was idle, as clients do."""
        parts = urllib.parse.urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        with self.lock:
            kept = self.connections.pop(parts.netloc, None)
        for connection in filter(None, (kept, http.client.HTTPSConnection(parts.netloc, context=self.context, timeout=PATIENCE))):
            try:
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                found = Answer(method, answer.status, answer.headers, answer.read())
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
                connection.close()
                if connection is not kept:
                    raise
                continue
            if not answer.will_close:
                with self.lock:
                    self.connections[parts.netloc] = connection
            return found


class Session:
    """One account key at one directory."""

    def __init__(self, directory, ca, key=None, wire=None):
        self.wire = wire or Wire(ca)
        self.directory_url, self.key, self.account = directory, key or Key(), None
        self.nonces = []
        self.directory = self.wire.request("GET", directory).json

    def nonce(self):
        try:
            return self.nonces.pop()
        except IndexError:
            pass
        answer = self.wire.request("HEAD", self.directory["newNonce"])
        if answer.status != 200 or "Replay-Nonce" not in answer.headers:
            raise Refused("newNonce", answer)
        return answer.headers["Replay-Nonce"]

    def header(self, to, /, **other):
        """The protected header as it should be; a member given as None is left out."""
        header = {"alg": self.key.alg, "nonce": None, "url": to}
        header |= {"kid": self.account} if self.account else {"jwk": self.key.jwk}
        header |= other
        if "nonce" not in other:
            header["nonce"] = self.nonce()
        return {name: value for name, value in header.items() if value is not None}

    def send(self, url, body, content_type="application/jose+json", method="POST", headers=None):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        headers = ({"Content-Type": content_type} if content_type else {}) | (headers or {})
        answer = self.wire.request(method, url, data, headers)
        if answer.headers.get("Replay-Nonce"):
            self.nonces.append(answer.headers["Replay-Nonce"])
        return answer

    def post(self, to, payload="", /, **header):
        """A right message, but for what `header` replaces. The empty payload is POST-as-GET."""
        return self.send(to, jws(self.key, self.header(to, **header), payload))

    def must(self, what, url, payload="", status=(200, 201)):
        answer = self.post(url, payload)
        if answer.status not in status:
            raise Refused(what, answer)
        return answer

    def register(self, binding=None, **more):
        payload = {"termsOfServiceAgreed": True} | more
        if binding:
            payload["externalAccountBinding"] = bound(*binding, self.directory["newAccount"], self.key)
        self.account = self.must("newAccount", self.directory["newAccount"], payload).location
        return self

    def order(self, *names, **more):
        """(URL, object) of a new order."""
        answer = self.must("newOrder", self.directory["newOrder"], {"identifiers": identifiers(*names)} | more, (201,))
        return answer.location, answer.json

    def challenge(self, authorization, kind="http-01"):
        """(authorization object, challenge object, key authorization)."""
        found = self.must("authorization", authorization).json
        challenge = next(challenge for challenge in found["challenges"] if challenge["type"] == kind)
        return found, challenge, f"{challenge['token']}.{self.key.thumbprint}"

    def prove(self, order, solver, kind="http-01"):
        """Takes every authorization of an order to valid."""
        for url in order["authorizations"]:
            found, challenge, text = self.challenge(url, kind)
            if found["status"] == "valid":
                continue
            solver.put(challenge["token"], text)
            self.must("challenge", challenge["url"], {})
            self.wait("authorization", url, ("pending", "processing"), "valid")

    def wait(self, what, url, while_in, until):
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.must(what, url)
            state = answer.json["status"]
            if state == until:
                return answer.json
            if state not in while_in or time.monotonic() > deadline:
                raise Refused(f"{what} became {state}", answer)
            time.sleep(0.05)

    def finalize(self, url, order, request):
        """The chain in PEM."""
        self.must("finalize", order["finalize"], {"csr": b64(request)})
        done = self.wait("order", url, ("ready", "processing"), "valid")
        return self.must("certificate", done["certificate"]).body

    def certificate(self, names, solver, key=None, **more):
        """All of it: (certificate, order's URL, its key)."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        url, order = self.order(*names, **more)
        self.prove(order, solver)
        chain = self.finalize(url, order, csr(names, key))
        return x509.load_pem_x509_certificate(chain), url, key


def identifiers(*names):
    return [name if isinstance(name, dict) else {"type": "ip" if is_address(name) else "dns", "value": name} for name in names]


def is_address(name):
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False


def csr(names, key, common_name=None, extensions=(), der=True):
    """A request for the names, in DER."""
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    found = [name if isinstance(name, x509.GeneralName) else x509.IPAddress(ipaddress.ip_address(name)) if is_address(name)
             else x509.DNSName(name) for name in names]
    if found:
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


class Solver:
    """Answers http-01 on one address, and misbehaves for tokens that it is told to misbehave for."""

    def __init__(self, lab, address):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(Quiet):
            def do_GET(self):  # noqa: N802
                token = self.path.rsplit("/", 1)[-1]
                outer.asked.append(token)
                found = outer.answers.get(token)
                if callable(found):
                    try:
                        found(self)
                    except OSError:
                        pass  # The authority had enough.
                    self.close_connection = True
                    return
                body = (found or "").encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        lab.serve(Handler, address, lab.http_port)

    def put(self, token, answer):
        self.answers[token] = answer
