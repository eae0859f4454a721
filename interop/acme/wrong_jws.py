"""Wrong messages whatever they ask for: the envelope, its header, nonces, URLs and methods (RFC 8555 §6)."""

import json

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives import hashes, hmac as mac

from raw import Key, b64, jws, number
from wrong import section, several

ORDER = {"identifiers": [{"type": "dns", "value": "x.hospital.test"}]}

# --- the envelope ---------------------------------------------------------------------------------

wrong = section("The message (RFC 8555 §6.2)")


def order(w, body=None, content_type="application/jose+json", method="POST", **header):
    url = w.one.directory["newOrder"]
    return w.one.send(url, body if body is not None else jws(w.one.key, w.one.header(url, **header), ORDER), content_type, method)


@several(wrong, 415, "malformed", "RFC 8555 §6.2", [
    ("content type application/json", "application/json"), ("content type application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
    ("no content type", None), ("content type application/jose (the compact form)", "application/jose")])
def content_type(w, value):
    return order(w, content_type=value)


@several(wrong, 400, "malformed", "RFC 8555 §6.2, RFC 7515 §7.2.2", [
    ("an empty body", b""), ("a body that is no JSON", b"nonsense"), ("a JSON array", b"[]"), ("a JSON string", b'"x"'),
    ("`null`", b"null"), ("an object without members", b"{}"), ("bytes that are no UTF-8", b'{"protected":"\xff"}'),
    ("60,000 open brackets", b"[" * 60_000), ("12,000 nested objects", b'{"a":' * 12_000)])
def body(w, value):
    return order(w, value)


@wrong("a megabyte of white space around a right message", 413, "malformed", "RFC 8555 §6.7, RFC 9110 §15.5.14")
def oversized(w):
    url = w.one.directory["newOrder"]
    return order(w, json.dumps(jws(w.one.key, w.one.header(url), ORDER)).encode() + b" " * (1 << 20))


@wrong("the general serialisation, with `signatures`", 400, "malformed", "RFC 8555 §6.2")
def general(w):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, {"payload": right["payload"], "signatures": [{"protected": right["protected"], "signature": right["signature"]}]})


@wrong("the compact serialisation", 400, "malformed", "RFC 8555 §6.2")
def compact(w):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, ".".join((right["protected"], right["payload"], right["signature"])))


@wrong("an unprotected `header`", 400, "malformed", "RFC 8555 §6.2")
def unprotected(w):
    return order(w, jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER, header={"kid": "x"}))


@several(wrong, 400, "malformed", "RFC 7515 §4", [(f"`{member}` twice in the message", member) for member in ("payload", "protected", "signature")])
def twice(w, member):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, json.dumps(right)[:-1] + f', "{member}": {json.dumps(right[member])}}}')


@several(wrong, 400, "malformed", "RFC 7515 §4", [(f"`{member}` twice in the protected header", member) for member in ("alg", "nonce", "url", "kid")])
def twice_in_header(w, member):
    header = w.one.header(w.one.directory["newOrder"])
    text = json.dumps(header)[:-1] + f', "{member}": {json.dumps(header[member])}}}'
    return order(w, jws(w.one.key, text, ORDER))


@several(wrong, 400, "malformed", "RFC 7515 §7.2.2", [(f"no `{member}`", member) for member in ("payload", "protected", "signature")])
def without(w, member):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    del right[member]
    return order(w, right)


@several(wrong, 400, "malformed", "RFC 8555 §6.1, RFC 7515 §2", [
    ("`payload` with padding", ("payload", lambda text: text + "=" * (-len(text) % 4 or 4))),
    ("`signature` with padding", ("signature", lambda text: text + "==")),
    ("`signature` in base64 and not base64url", ("signature", lambda text: "+/" + text[2:])),
    ("`protected` with a line break", ("protected", lambda text: text[:9] + "\n" + text[9:])),
    ("`protected` is a number", ("protected", lambda text: 7)),
    ("`protected` is an object", ("protected", lambda text: {"alg": "ES256"})),
    ("`signature` is null", ("signature", lambda text: None)),
    ("`protected` is empty", ("protected", lambda text: ""))])
def encoding(w, value):
    member, change = value
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, right | {member: change(right[member])})


@several(wrong, 400, "malformed", "RFC 8555 §6.2", [
    ("a signature with one bit changed", lambda text: ("B" if text[0] == "A" else "A") + text[1:]),
    ("a signature cut by a byte", lambda text: text[:-4]), ("an empty signature", lambda text: ""),
    ("a signature in DER", lambda text: b64(bytes.fromhex("3006020101020101"))), ("a signature of zeros", lambda text: b64(bytes(64)))])
def signature(w, change):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, right | {"signature": change(right["signature"])})


@wrong("a payload other than the one that was signed", 400, "malformed", "RFC 8555 §6.2")
def other_payload(w):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    return order(w, right | {"payload": b64('{"identifiers":[{"type":"dns","value":"y.hospital.test"}]}')})


@several(wrong, 400, "malformed", "RFC 8555 §6.2", [
    ("a payload that is no JSON", "nonsense"), ("a payload that is an array", "[]"), ("a payload that is an array of an order's members", '[[{"type":"dns","value":"a.test"}]]'), ("a payload that is a number", "7"),
    ("a payload that is null", "null"), ("a payload with a member twice", '{"identifiers": [], "identifiers": [{"type":"dns","value":"a.test"}]}'),
    ("a payload of 10,000 nested arrays", '{"identifiers":' + "[" * 10_000 + "]" * 10_000 + "}"),
    ("a payload with something after its end", '{"identifiers":[{"type":"dns","value":"a.test"}]} {}'),
    ("a payload with half a surrogate pair", '{"identifiers":[{"type":"dns","value":"\\ud800.test"}]}'),
    ("a payload that is no UTF-8", b'{"identifiers":[{"type":"dns","value":"\xc3\x28.test"}]}')])
def payload(w, value):
    url = w.one.directory["newOrder"]
    return order(w, jws(w.one.key, w.one.header(url), value))


@several(wrong, 400, "malformed", "RFC 7515 §4.1.11", [
    ("`crit` with an extension that nobody knows", {"crit": ["exp"], "exp": 1}), ("an empty `crit`", {"crit": []}),
    ("an unencoded payload, `b64` false (RFC 7797)", {"crit": ["b64"], "b64": False})])
def critical(w, header):
    return order(w, **header)


# --- algorithms and keys --------------------------------------------------------------------------

wrong = section("Algorithms and keys (RFC 8555 §6.2)")


@several(wrong, 400, "badSignatureAlgorithm", "RFC 8555 §6.2", [
    (f"`alg` {alg}", alg) for alg in ("none", "HS256", "HS512", "RS1", "PS256", "ES256K", "nonsense")])
def algorithm(w, alg):
    return order(w, alg=alg)


@wrong("`alg` none and no signature", 400, "badSignatureAlgorithm", "RFC 8555 §6.2")
def none(w):
    right = jws(w.one.key, w.one.header(w.one.directory["newOrder"], alg="none"), ORDER)
    return order(w, right | {"signature": ""})


@wrong("HS256 keyed with the account's public key", 400, "badSignatureAlgorithm", "RFC 8555 §6.2, RFC 8725 §2.1")
def confused(w):
    header = w.one.header(w.one.directory["newOrder"], alg="HS256")
    right = jws(w.one.key, header, ORDER)
    keyed = mac.HMAC(json.dumps(w.one.key.jwk).encode(), hashes.SHA256())
    keyed.update(f"{right['protected']}.{right['payload']}".encode())
    return order(w, right | {"signature": b64(keyed.finalize())})


@several(wrong, 400, "malformed", "RFC 8555 §6.2", [("no `alg`", None), ("`alg` is a number", 256)])
def no_algorithm(w, alg):
    return order(w, alg=alg)


@wrong("`alg` RS256 with an account whose key is for ES256", 400, "badSignatureAlgorithm", "RFC 8555 §6.2")
def other_algorithm(w):
    return order(w, alg="RS256")


def register(w, key, jwk=None, alg=None, directory="open"):
    session = w.session(directory, key)
    return session.post(session.directory["newAccount"], {"termsOfServiceAgreed": True}, jwk=key.jwk if jwk is None else jwk, alg=alg or key.alg)


@wrong("`alg` ES256 and a key on P-384", 400, "badSignatureAlgorithm", "RFC 7518 §3.4")
def other_curve(w):
    key = Key("ES384")
    return register(w, key, alg="ES256")


@several(wrong, 400, "badPublicKey", "RFC 8555 §6.2, §6.7", [
    ("an RSA key of 1024 bits", {"bits": 1024}), ("an RSA key of 8192 bits", None),
    ("an RSA key with exponent 1", {"e": "AQ"}), ("an RSA key with an even exponent", {"e": "BA"}),
    ("an RSA key whose modulus is even", {"even": True})])
def rsa_key(w, how):
    if how is None:
        key = Key("RS256")
        return register(w, key, {"kty": "RSA", "e": "AQAB", "n": number(key.private.public_key().public_numbers().n << 6144 | 1)})
    key = Key("RS256", private=rsa.generate_private_key(65537, how.get("bits", 2048)))
    jwk = key.jwk
    if "even" in how:
        jwk |= {"n": number(key.private.public_key().public_numbers().n + 1)}
    return register(w, key, jwk | ({"e": how["e"]} if "e" in how else {}))


@several(wrong, 400, "badPublicKey", "RFC 8555 §6.7, RFC 7518 §6.2.1", [
    ("a point that is not on its curve", lambda jwk: jwk | {"y": jwk["x"]}), ("coordinates cut by a byte", lambda jwk: jwk | {"x": jwk["x"][:40]}),
    ("the curve secp256k1", lambda jwk: jwk | {"crv": "secp256k1"}), ("no `y`", lambda jwk: {name: jwk[name] for name in ("kty", "crv", "x")}),
    ("a key type that nobody knows", lambda jwk: {"kty": "XYZ"}), ("a symmetric key", lambda jwk: {"kty": "oct", "k": "AAAA"})])
def ec_key(w, change):
    key = Key()
    return register(w, key, change(key.jwk))


@several(wrong, 400, "malformed", "RFC 7517 §4.1", [("a key without type", lambda jwk: {}), ("a key that is an array", lambda jwk: list(jwk.values())), ("a key that is a string", lambda jwk: "x")])
def no_key(w, change):
    key = Key()
    return register(w, key, change(key.jwk))


# --- nonces ---------------------------------------------------------------------------------------

wrong = section("Nonces (RFC 8555 §6.5)")


@wrong("a nonce that has been used", 400, "badNonce", "RFC 8555 §6.5")
def replayed(w):
    nonce = w.one.nonce()
    first = order(w, nonce=nonce)
    assert first.status == 201, first
    return order(w, nonce=nonce)


@wrong("the whole message again, as an eavesdropper would", 400, "badNonce", "RFC 8555 §6.5")
def replayed_message(w):
    message = jws(w.one.key, w.one.header(w.one.directory["newOrder"]), ORDER)
    first = order(w, message)
    assert first.status == 201, first
    return order(w, message)


@several(wrong, 400, "badNonce", "RFC 8555 §6.5", [
    ("a nonce of another server", "oFvnlFP1wIhRlYS2jTaXbA"), ("a nonce of the right length that nobody gave", b64(bytes(range(28)))),
    ("one letter", "AAAA")])
def foreign(w, nonce):
    return order(w, nonce=nonce)


@wrong("a nonce with one bit changed", 400, "badNonce", "RFC 8555 §6.5")
def changed(w):
    nonce = w.one.nonce()
    return order(w, nonce=nonce[:-6] + ("B" if nonce[-6] == "A" else "A") + nonce[-5:])


@wrong("no nonce", 400, "badNonce", "RFC 8555 §6.5.2")
def no_nonce(w):
    return order(w, nonce=None)


@several(wrong, 400, "malformed", "RFC 8555 §6.5.2", [
    ("a nonce that is not base64url", "not base64url!"), ("a nonce with padding", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ("a nonce that is a number", 7)])
def misspelt(w, nonce):
    return order(w, nonce=nonce)


# --- URLs, accounts, methods ----------------------------------------------------------------------

wrong = section("URL, account and method (RFC 8555 §6.2 to §6.4)")


@several(wrong, 403, "unauthorized", "RFC 8555 §6.4", [
    ("`url` of another resource", lambda url: url.replace("new-order", "new-authz")), ("`url` with another host", lambda url: url.replace("https://", "https://ca.")),
    ("`url` with http", lambda url: url.replace("https:", "http:")), ("`url` with a slash at its end", lambda url: url + "/"),
    ("`url` with a query", lambda url: url + "?x"), ("`url` in capitals", str.upper), ("an empty `url`", lambda url: "")])
def url(w, change):
    return order(w, url=change(w.one.directory["newOrder"]))


@several(wrong, 400, "malformed", "RFC 8555 §6.4", [("no `url`", None), ("`url` is an array", ["x"])])
def no_url(w, value):
    return order(w, url=value)


@wrong("`jwk` and `kid`", 400, "malformed", "RFC 8555 §6.2")
def both(w):
    return order(w, jwk=w.one.key.jwk)


@wrong("neither `jwk` nor `kid`", 400, "malformed", "RFC 8555 §6.2")
def neither(w):
    return order(w, kid=None)


@wrong("`jwk` where the account is meant (newOrder)", 400, "malformed", "RFC 8555 §6.2")
def jwk_for_order(w):
    return order(w, kid=None, jwk=w.one.key.jwk)


@wrong("`kid` for newAccount", 400, "malformed", "RFC 8555 §6.2")
def kid_for_account(w):
    return w.one.post(w.one.directory["newAccount"], {"termsOfServiceAgreed": True})


@wrong("`kid` of an account that there is not", 400, "accountDoesNotExist", "RFC 8555 §6.2, §6.7")
def unknown_account(w):
    return order(w, kid=w.one.account[:-4] + "0000")


@several(wrong, 400, "malformed", "RFC 8555 §6.2", [("`kid` that is no URL", "1"), ("`kid` of another server", "https://ca.test/acme/open/account/1"), ("an empty `kid`", "")])
def no_account(w, kid):
    return order(w, kid=kid)


@wrong("`kid` of somebody else, and one's own key", 400, "malformed", "RFC 8555 §6.2")
def stolen_account(w):
    return order(w, kid=w.two.account)


@wrong("`kid` of an account of another directory", 400, "malformed", "RFC 8555 §6.2")
def account_elsewhere(w):
    return order(w, kid=w.account("narrow").account)


@several(wrong, 405, "malformed", "RFC 8555 §6.3", [(f"GET of {resource}", resource) for resource in ("newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange")])
def get(w, resource):
    return w.one.wire.request("GET", w.one.directory[resource])


@several(wrong, 405, "malformed", "RFC 8555 §6.3", [(f"GET of {what}", what) for what in ("an order", "an authorization", "an account", "a list of orders")])
def get_of_object(w, what):
    url, found = w.order(w.one, "get")
    urls = {"an order": url, "an authorization": found["authorizations"][0], "an account": w.one.account, "a list of orders": w.one.account + "/orders"}
    return w.one.wire.request("GET", urls[what])


@several(wrong, 405, "malformed", "RFC 8555 §6.3", [(f"{method} of newOrder", method) for method in ("PUT", "DELETE", "PATCH")])
def method(w, name):
    return order(w, method=name)


@several(wrong, 400, "malformed", "RFC 8555 §6.3", [(f"POST-as-GET of {what} with the payload {{}}", what) for what in ("an order", "a list of orders")])
def payload_of_get(w, what):
    url, _ = w.order(w.one, "payload")
    return w.one.post({"an order": url, "a list of orders": w.one.account + "/orders"}[what], {})


@wrong("newOrder with an empty payload", 400, "malformed", "RFC 8555 §6.3, §7.4")
def empty_payload(w):
    return w.one.post(w.one.directory["newOrder"], "")


@several(wrong, 404, "malformed", "RFC 8555 §6.7", [
    ("a resource that there is not", lambda w: w.one.directory["newOrder"].replace("new-order", "new-thing")),
    ("an order that there is not", lambda w: w.one.directory["newOrder"].replace("new-order", "order/0000")),
    ("an authorization that there is not", lambda w: w.one.directory["newOrder"].replace("new-order", "authz/0000")),
    ("a certificate that there is not", lambda w: w.one.directory["newOrder"].replace("new-order", "certificate/" + "0" * 64)),
    ("a directory that there is not", lambda w: w.one.directory["newOrder"].replace("/open/", "/nowhere/"))])
def nowhere(w, where):
    return w.one.post(where(w))
