"""Wrong messages about names, orders and CSRs (RFC 8555 §7.4)."""

import concurrent.futures
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from raw import b64, csr
from wrong import section, several

# --- orders ---------------------------------------------------------------------------------------

wrong = section("Orders (RFC 8555 §7.4)")


def order(w, identifiers, session=None, **more):
    session = session or w.one
    return session.post(session.directory["newOrder"], {"identifiers": identifiers} | more)


def dns(*names):
    return [{"type": "dns", "value": name} for name in names]


@several(wrong, 400, "malformed", "RFC 8555 §7.4", [
    ("no identifiers", None), ("an empty list of identifiers", []), ("identifiers that are an object", {"type": "dns", "value": "a.test"}),
    ("an identifier that is a string", ["a.test"]), ("an identifier that is an array", [["dns", "a.test"]]), ("an identifier without type", [{"value": "a.test"}]),
    ("an identifier without value", [{"type": "dns"}]), ("an identifier whose value is a number", [{"type": "dns", "value": 7}]),
    ("an identifier with two values", [{"type": "dns", "value": ["a.test", "b.test"]}])])
def identifiers(w, value):
    return order(w, value) if value is not None else w.one.post(w.one.directory["newOrder"], {})


@wrong("an identifier of a type that is not certified", 400, "unsupportedIdentifier", "RFC 8555 §6.7")
def type_of(w):
    return order(w, [{"type": "email", "value": "a@hospital.test"}])


@wrong("10,000 names", 413, "malformed", "RFC 8555 §6.7, RFC 9110 §15.5.14")
def ten_thousand(w):
    return order(w, dns(*(w.name(f"n{number}") for number in range(10_000))))


@wrong("1,000 names", 400, "malformed", "RFC 8555 §7.4")
def thousand(w):
    return order(w, dns(*(f"n{number}.hospital.test" for number in range(1_000))))


@several(wrong, 400, "malformed", "RFC 8555 §7.1.3, RFC 1034 §3.5, RFC 5890 §2.3.1", [
    ("an empty name", ""), ("a name with a space", "a b.hospital.test"), ("a name with an underscore", "a_b.hospital.test"),
    ("a name with an empty label", "a..hospital.test"), ("a name that begins with a dot", ".hospital.test"), ("a name that ends with a dot", "a.hospital.test."),
    ("a label that begins with a hyphen", "-a.hospital.test"), ("a label of 64 letters", "a" * 64 + ".hospital.test"),
    ("a name of 300 letters", "a." * 143 + "hospital.test"), ("a URL", "https://a.hospital.test/"), ("a name with a port", "a.hospital.test:8443"),
    ("a name with a zero byte", "a\x00.hospital.test"), ("a name with a line break", "a\n.hospital.test"), ("an e-mail address", "a@hospital.test"),
    ("an address as a name", "127.0.0.1"), ("an IPv6 address as a name", "::1"), ("a name in capitals with a full stop of another script", "A\u3002hospital.test"),
    ("an asterisk alone", "*"), ("two wildcards", "*.*.hospital.test"), ("part of a label as wildcard", "a*.hospital.test"),
    ("a wildcard in the middle", "a.*.hospital.test"), ("an A-label that decodes to nothing", "xn--zzzzzzz99999999999.hospital.test")])
def names(w, name):
    return order(w, dns(name))


@several(wrong, 400, "malformed", "RFC 8555 §7.1.3, RFC 5890 §2.3.2.1", [("an internationalised name that is not encoded", "krankenhäuser.hospital.test"),
                                                                        ("a name in full-width letters", "\uff48ospital.test")])
def unicode(w, name):
    return order(w, dns(name))


@several(wrong, 403, "rejectedIdentifier", "RFC 8555 §6.7, UTS 39 §5", [
    ("a name of mixed scripts (Cyrillic р and а in paypal)", "xn--ypal-43d9g.hospital.test"),
    ("a name that looks like apple (Cyrillic аррӏе)", "xn--80ak6aa92e.hospital.test")])
def confusable(w, name):
    return order(w, dns(name))


@several(wrong, 400, "malformed", "RFC 8738 §3", [
    ("an address with leading zeros", "127.0.000.001"), ("an address in short", "127.1"), ("an address as a number", "2130706433"),
    ("an IPv6 address that is not in its canonical form", "2001:DB8:0:0::1"), ("an address with a zone", "fe80::1%eth0"), ("a network", "127.0.0.0/8"),
    ("a name as an address", "hospital.test"), ("an IPv6 address in brackets", "[::1]")])
def addresses(w, address):
    return order(w, [{"type": "ip", "value": address}])


@wrong("a name outside the directory's names", 403, "rejectedIdentifier", "RFC 8555 §6.7")
def outside_directory(w):
    return order(w, dns(w.name("elsewhere")), w.account("narrow"))


@wrong("a wildcard where the directory has none", 403, "rejectedIdentifier", "RFC 8555 §6.7")
def no_wildcards(w):
    return order(w, dns(w.name("*.narrow")), w.account("narrow"))


@wrong("a name outside what the external account may ask for", 403, "rejectedIdentifier", "RFC 8555 §6.7, §7.3.4")
def outside_account(w):
    session = w.session("bound").register(w.external(names=[w.name("mine")]))
    return order(w, dns(w.name("yours")), session)


@wrong("one good name and two bad ones of different kinds: subproblems of both", 400, "compound", "RFC 8555 §6.7.1")
def compound(w):
    answer = order(w, dns(w.name("narrow"), "a b.test", "xn--ypal-43d9g.hospital.test"))
    found = [problem.get("identifier", {}).get("value") for problem in answer.json.get("subproblems", [])]
    assert found == ["a b.test", "xn--ypal-43d9g.hospital.test"], answer
    return answer


@several(wrong, 400, "malformed", "RFC 8555 §7.4, RFC 3339 §5.6", [
    ("notBefore that is no date", {"notBefore": "tomorrow"}), ("notAfter that is a number", {"notAfter": 1795325673}),
    ("notAfter before notBefore", {"notBefore": "2030-01-02T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}),
    ("notAfter in the past", {"notAfter": "2020-01-01T00:00:00Z"}), ("notAfter in a thousand years", {"notAfter": "3026-01-01T00:00:00Z"}),
    ("notBefore ten years ago", {"notBefore": "2016-01-01T00:00:00Z"})])
def dates(w, more):
    return order(w, dns(w.name("dates")), **more)


@several(wrong, 400, "invalidProfile", "draft-ietf-acme-profiles §4", [("a profile that there is not", "nonsense"), ("a profile of Ward's that this directory does not offer", "ocsp-responder"),
                                                                       ("an empty profile", "")])
def profile(w, name):
    return order(w, dns(w.name("profile")), profile=name)


@wrong("a profile that is a number", 400, "malformed", "draft-ietf-acme-profiles §4")
def profile_number(w):
    return order(w, dns(w.name("profile")), profile=7)


@wrong("an order of somebody else", 403, "unauthorized", "RFC 8555 §7.1.3")
def others_order(w):
    url, _ = w.order(w.two, "others")
    return w.one.post(url)


@wrong("more orders than the directory's limit", 429, "rateLimited", "RFC 8555 §6.6")
def limited(w):
    session = w.account("tight")
    for number in range(2):
        first = order(w, dns(w.name(f"limit{number}")), session)
        assert first.status == 201, first
    answer = order(w, dns(w.name("limit2")), session)
    assert int(answer.headers["Retry-After"]) > 0, dict(answer.headers)
    return answer


# --- pre-authorisation ----------------------------------------------------------------------------

wrong = section("Authorizations (RFC 8555 §7.4.1, §7.5)")


@several(wrong, 400, "malformed", "RFC 8555 §7.4.1", [("newAuthz without identifier", {}), ("newAuthz for two identifiers", {"identifier": dns("a.test", "b.test")}),
                                                      ("newAuthz for a name with a space", {"identifier": {"type": "dns", "value": "a b.test"}})])
def new_authorization(w, payload):
    return w.one.post(w.one.directory["newAuthz"], payload)


@wrong("newAuthz for a wildcard", 400, "malformed", "RFC 8555 §7.4.1")
def wildcard_authorization(w):
    return w.one.post(w.one.directory["newAuthz"], {"identifier": {"type": "dns", "value": w.name("*.a")}})


@wrong("newAuthz for a name outside the directory's", 403, "rejectedIdentifier", "RFC 8555 §7.4.1")
def outside_authorization(w):
    session = w.account("narrow")
    return session.post(session.directory["newAuthz"], {"identifier": {"type": "dns", "value": w.name("elsewhere")}})


@wrong("an authorization of somebody else", 403, "unauthorized", "RFC 8555 §7.5")
def others_authorization(w):
    _, found = w.order(w.two, "others")
    return w.one.post(found["authorizations"][0])


@wrong("a challenge of somebody else", 403, "unauthorized", "RFC 8555 §7.5.1")
def others_challenge(w):
    _, found = w.order(w.two, "others")
    _, challenge, _ = w.two.challenge(found["authorizations"][0])
    return w.one.post(challenge["url"], {})


@wrong("the deactivation of somebody else's authorization", 403, "unauthorized", "RFC 8555 §7.5.2")
def others_deactivation(w):
    _, found = w.order(w.two, "others")
    return w.one.post(found["authorizations"][0], {"status": "deactivated"})


@several(wrong, 400, "malformed", "RFC 8555 §7.5.2", [(f"an authorization's status set to {status}", status) for status in ("valid", "pending", "nonsense")])
def set_status(w, status):
    _, found = w.order(w.one, "status")
    return w.one.post(found["authorizations"][0], {"status": status})


@wrong("a challenge of a kind that there is not", 404, "malformed", "RFC 8555 §7.5.1")
def unknown_challenge(w):
    _, found = w.order(w.one, "unknown")
    _, challenge, _ = w.one.challenge(found["authorizations"][0])
    return w.one.post(challenge["url"].replace("http-01", "mail-01"), {})


@wrong("http-01 for a wildcard", 404, "malformed", "RFC 8555 §7.1.3, §8.3")
def http_for_wildcard(w):
    _, found = w.one.order(w.name("*.wild"))
    _, challenge, _ = w.one.challenge(found["authorizations"][0], "dns-01")
    return w.one.post(challenge["url"].replace("dns-01", "http-01"), {})


@several(wrong, 400, "malformed", "RFC 8555 §7.5.1", [("a challenge answered with an array", []), ("a challenge answered with a string", '"x"')])
def challenge_payload(w, payload):
    _, found = w.order(w.one, "payload")
    _, challenge, _ = w.one.challenge(found["authorizations"][0])
    return w.one.post(challenge["url"], payload)


# --- finalize -------------------------------------------------------------------------------------

wrong = section("CSR and finalize (RFC 8555 §7.4)")
OLD_RSA = rsa.generate_private_key(65537, 1024)


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def finalize(w, label, request):
    """Finalizes an order for one name that is ready, with `request(name, key)`."""
    session, _, found = w.ready(label)
    return session.post(found["finalize"], {"csr": b64(request(w.name(label), ec_key()))})


@several(wrong, 400, "malformed", "RFC 8555 §7.4", [("finalize without `csr`", {}), ("a `csr` that is a number", {"csr": 7}), ("a `csr` that is null", {"csr": None}),
                                                    ("a `csr` that is not base64url", {"csr": "!"}), ("a `csr` in base64 with padding", {"csr": "MIIBAA=="})])
def no_csr(w, payload):
    session, _, found = w.ready("csr")
    return session.post(found["finalize"], payload)


@several(wrong, 400, "badCSR", "RFC 8555 §7.4, RFC 2986 §4", [
    ("a CSR that is no DER", lambda name, key: b"nonsense"), ("an empty CSR", lambda name, key: b""), ("a CSR cut in half", lambda name, key: csr([name], key)[:100]),
    ("a CSR with something after its end", lambda name, key: csr([name], key) + b"x"),
    ("a CSR in PEM", lambda name, key: x509.load_der_x509_csr(csr([name], key)).public_bytes(serialization.Encoding.PEM)),
    ("a certificate for a CSR", lambda name, key: certificate(name, key)),
    ("a CSR whose signature does not verify", lambda name, key: csr([name], key)[:-1] + bytes([csr([name], key)[-1] ^ 1])),
    ("a CSR with an RSA key of 1024 bits", lambda name, key: csr([name], OLD_RSA)),
    ("a CSR with a key on secp256k1", lambda name, key: csr([name], ec.generate_private_key(ec.SECP256K1()))),
    ("a CSR that asks to be an authority", lambda name, key: csr([name], key, extensions=[x509.BasicConstraints(True, None)])),
    ("a CSR of 1,000 further names", lambda name, key: csr([name, *(f"n{number}.{name}" for number in range(1000))], key))])
def bad_csr(w, request):
    return finalize(w, "bad", request)


def certificate(name, key):
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    return built.public_bytes(serialization.Encoding.DER)


@several(wrong, 400, "badCSR", "RFC 8555 §7.4", [
    ("a CSR without names", lambda name, key: csr([], key)), ("a CSR for another name", lambda name, key: csr(["other." + name], key)),
    ("a CSR with one name more", lambda name, key: csr([name, "more." + name], key)), ("a CSR with a wildcard more", lambda name, key: csr([name, "*." + name], key)),
    ("a CSR for the wildcard in place of the name", lambda name, key: csr(["*." + name], key)),
    ("a CSR whose common name is another name", lambda name, key: csr([name], key, common_name="other." + name)),
    ("a CSR whose common name is no name", lambda name, key: csr([name], key, common_name="Mercy Hospital")),
    ("a CSR with an address more", lambda name, key: csr([name, "127.0.0.1"], key)),
    ("a CSR with an e-mail address more", lambda name, key: csr([name, x509.RFC822Name("a@hospital.test")], key)),
    ("a CSR with a URI more", lambda name, key: csr([name, x509.UniformResourceIdentifier("https://hospital.test/")], key)),
    ("a CSR with the name as an e-mail address", lambda name, key: csr([x509.RFC822Name("a@" + name)], key)),
    ("a CSR with a directory name more", lambda name, key: csr([name, x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")]))], key))])
def other_names(w, request):
    return finalize(w, "names", request)


@wrong("a CSR with one name less than the order", 400, "badCSR", "RFC 8555 §7.4")
def fewer_names(w):
    session = w.account()
    url, found = w.order(session, "first", "second")
    session.prove(found, w.solver)
    return session.post(found["finalize"], {"csr": b64(csr([w.name("first")], ec_key()))})


@wrong("a CSR with the account's own key", 400, "badCSR", "RFC 8555 §11.1")
def account_key(w):
    session, _, found = w.ready("own")
    return session.post(found["finalize"], {"csr": b64(csr([w.name("own")], session.key.private))})


@wrong("a CSR with another account's key", 400, "badCSR", "RFC 8555 §11.1")
def other_account_key(w):
    session, _, found = w.ready("its")
    return session.post(found["finalize"], {"csr": b64(csr([w.name("its")], w.two.key.private))})


@wrong("finalize before the names are proved", 403, "orderNotReady", "RFC 8555 §7.4")
def not_ready(w):
    session = w.account()
    _, found = w.order(session, "early")
    return session.post(found["finalize"], {"csr": b64(csr([w.name("early")], ec_key()))})


@wrong("finalize of an order that is valid already", 403, "orderNotReady", "RFC 8555 §7.4")
def again(w):
    session, url, found = w.ready("again")
    request = csr([w.name("again")], ec_key())
    session.finalize(url, found, request)
    return session.post(found["finalize"], {"csr": b64(csr([w.name("again")], ec_key()))})


@wrong("finalize twice at the same time, with two keys: one gets the certificate, the other this", 403, "orderNotReady", "RFC 8555 §7.4")
def parallel(w):
    session, url, found = w.ready("parallel")
    requests = [{"csr": b64(csr([w.name("parallel")], ec_key()))} for _ in range(8)]
    messages = [(found["finalize"], request) for request in requests]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda message: session.post(*message), messages))
    done = session.wait("order", url, ("processing", "ready"), "valid")
    first = session.must("certificate", done["certificate"]).body
    assert session.must("order", url).json["certificate"] == done["certificate"] and first
    taken = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert taken and refused, answers
    assert {(answer.status, answer.problem) for answer in refused} == {(403, "orderNotReady")}, refused
    return refused[0]


@wrong("finalize of an order one of whose names was refused", 403, "orderNotReady", "RFC 8555 §7.1.6, §7.4", slow=True)
def invalid_order(w):
    session = w.account()
    url, found = w.order(session, "refused")
    _, challenge, text = session.challenge(found["authorizations"][0])
    w.solver.put(challenge["token"], "something else")
    session.must("challenge", challenge["url"], {})
    session.wait("order", url, ("pending",), "invalid")
    return session.post(found["finalize"], {"csr": b64(csr([w.name("refused")], ec_key()))})


@wrong("finalize of somebody else's order", 403, "unauthorized", "RFC 8555 §7.4")
def others_finalize(w):
    _, _, found = w.ready("others")
    return w.one.post(found["finalize"], {"csr": b64(csr([w.name("others")], ec_key()))})
