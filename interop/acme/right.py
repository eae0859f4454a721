"""Right messages that few clients send: what stands beside the refusals, so that a server that refuses everything fails.

Each gives what went wrong, or nothing.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from raw import CURVES, Key, b64, bound, csr, identifiers, jws
from wrong_accounts import change
from wrong_validation import certificate_id, revoke

ALGORITHMS = [*CURVES, "RS256", "EdDSA"]


def accounts_of_every_algorithm(w):
    for alg in ALGORITHMS:
        session = w.account(key=Key(alg))
        again = w.session(key=session.key)
        found = again.post(again.directory["newAccount"], {"onlyReturnExisting": True})
        assert (found.status, found.location) == (200, session.account), (alg, found)
        repeated = again.post(again.directory["newAccount"], {"termsOfServiceAgreed": True})
        assert (repeated.status, repeated.location) == (200, session.account), (alg, repeated)


def bindings_of_every_algorithm(w):
    for alg in ("HS256", "HS384", "HS512"):
        session = w.session("bound")
        kid, mac = w.external()
        binding = bound(kid, mac, session.directory["newAccount"], session.key, alg=alg)
        answer = session.post(session.directory["newAccount"], {"termsOfServiceAgreed": True, "externalAccountBinding": binding})
        assert answer.status == 201, (alg, answer)


def a_key_for_three_accounts(w):
    kid, mac = w.external(uses=3)
    for _ in range(3):
        w.session("bound").register((kid, mac))
    session = w.session("bound")
    answer = session.post(session.directory["newAccount"], {
        "termsOfServiceAgreed": True, "externalAccountBinding": bound(kid, mac, session.directory["newAccount"], session.key)})
    assert (answer.status, answer.problem) == (403, "unauthorized"), answer


def keys_of_every_algorithm_change(w):
    session = w.account()
    for alg in ALGORITHMS:
        new = Key(alg)
        done = change(w, session=session, new=new)
        assert done.status == 200, (alg, done)
        session.key = new
        assert session.post(session.account).status == 200, alg


def contacts(w):
    session = w.account()
    answer = session.post(session.account, {"contact": ["mailto:admin@hospital.test"], "orders": "x", "unknown": {}})
    assert answer.status == 200 and answer.json["contact"] == ["mailto:admin@hospital.test"], answer
    assert session.post(session.account).json["contact"] == ["mailto:admin@hospital.test"]
    assert session.post(session.account, {"contact": []}).json.get("contact", []) == []


def terms(w):
    session = w.session("terms")
    assert session.directory["meta"]["termsOfService"] == "https://hospital.test/terms"
    session.register()


def nonces(w):
    url = w.one.directory["newNonce"]
    head, get = w.one.wire.request("HEAD", url), w.one.wire.request("GET", url)
    assert (head.status, get.status) == (200, 204), (head, get)
    assert all("no-store" in answer.headers["Cache-Control"] for answer in (head, get)), (head, get)
    assert head.headers["Replay-Nonce"] != get.headers["Replay-Nonce"]


def media_type(w):
    url = w.one.directory["newOrder"]
    for value in ("application/jose+json; charset=utf-8", "Application/JOSE+JSON"):
        body = jws(w.one.key, w.one.header(url), {"identifiers": identifiers(w.name("media"))})
        assert w.one.send(url, body, value).status == 201, value


def pages_of_orders(w):
    session = w.account()
    made = [session.order(w.name(f"page{number}"))[0] for number in range(130)]
    url, found, pages = session.account + "/orders", [], 0
    while url:
        answer = session.must("orders", url)
        found += answer.json["orders"]
        links = [link for link in answer.headers.get_all("Link") or [] if 'rel="next"' in link]
        url, pages = (links[0].split(">")[0].lstrip("<") if links else None), pages + 1
    assert sorted(found) == sorted(made) and pages > 1, (len(found), pages)


def names_once_in_small_letters(w):
    _, order = w.one.order(w.name("Twice").upper(), w.name("twice"), w.name("other"))
    assert sorted(name["value"] for name in order["identifiers"]) == [w.name("other"), w.name("twice")], order
    assert len(order["authorizations"]) == 2, order


def addresses(w):
    session = w.account()
    key = ec.generate_private_key(ec.SECP256R1())
    url, order = session.order(w.address)
    session.prove(order, w.solver)
    certificate = x509.load_pem_x509_certificate(session.finalize(url, order, csr([w.address], key)))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [w.address], names


def keys_of_certificates(w):
    session = w.account()
    for label, key in (("p256", ec.generate_private_key(ec.SECP256R1())), ("p384", ec.generate_private_key(ec.SECP384R1())),
                       ("rsa", rsa.generate_private_key(65537, 2048))):
        session.certificate([w.name(label)], w.solver, key=key)
    _, _, order = w.ready("ed25519", session)
    answer = session.post(order["finalize"], {"csr": b64(csr([w.name("ed25519")], ed25519.Ed25519PrivateKey.generate()))})
    # The profile names the kinds of keys; this is none of them.
    assert (answer.status, answer.problem) == (400, "badCSR"), answer


def common_name(w):
    session, url, order = w.ready("common")
    name = w.name("common")
    session.finalize(url, order, csr([], ec.generate_private_key(ec.SECP256R1()), common_name=name))
    session, url, order = w.ready("common", session)
    session.finalize(url, order, csr([name], ec.generate_private_key(ec.SECP256R1()), common_name=name.upper()))


def revocation_by_the_certificate_key(w):
    _, certificate, key = w.issued("bykey")
    session = w.session(key=Key(private=key))
    answer = revoke(session, certificate, reason=1)
    assert answer.status == 200 and not answer.body, answer


def revocation_by_another_account_that_proved_the_names(w):
    _, certificate, _ = w.issued("proved")
    other = w.account()
    refused = revoke(other, certificate)
    assert (refused.status, refused.problem) == (403, "unauthorized"), refused
    w.ready("proved", other)
    answer = revoke(other, certificate)
    assert answer.status == 200, answer


def authorization_given_up(w):
    session = w.account()
    url, order = w.order(session, "given")
    answer = session.post(order["authorizations"][0], {"status": "deactivated"})
    assert answer.status == 200 and answer.json["status"] == "deactivated", answer
    assert session.post(url).json["status"] == "invalid"


def authorization_before_an_order(w):
    session = w.account()
    answer = session.post(session.directory["newAuthz"], {"identifier": {"type": "dns", "value": w.name("before")}})
    assert answer.status == 201 and answer.location, answer
    _, challenge, text = session.challenge(answer.location)
    w.solver.put(challenge["token"], text)
    session.must("challenge", challenge["url"], {})
    session.wait("authorization", answer.location, ("pending", "processing"), "valid")
    _, order = w.order(session, "before")
    assert order["status"] == "ready", order


def names_without_challenge(w):
    names = [w.name("pacs"), w.name("modality")]
    session = w.session("bound").register(w.external(names=names, preauthorised=True))
    url, order = session.order(*names)
    assert order["status"] == "ready", order
    session.finalize(url, order, csr(names, ec.generate_private_key(ec.SECP256R1())))
    outside = session.post(session.directory["newOrder"], {"identifiers": identifiers(w.name("elsewhere"))})
    assert (outside.status, outside.problem) == (403, "rejectedIdentifier"), outside


def replacement(w):
    session, certificate, _ = w.issued("replace")
    url, order = session.order(w.name("replace"), replaces=certificate_id(certificate))
    assert order["replaces"] == certificate_id(certificate), order


def chains(w):
    session, url, order = w.ready("chains")
    session.finalize(url, order, csr([w.name("chains")], ec.generate_private_key(ec.SECP256R1())))
    answer = session.must("certificate", session.must("order", url).json["certificate"])
    assert answer.content_type.startswith("application/pem-certificate-chain"), answer.content_type
    chain = x509.load_pem_x509_certificates(answer.body)
    for below, above in zip(chain, chain[1:]):
        below.verify_directly_issued_by(above)
    assert len(chain) >= 2, len(chain)
    for link in answer.headers.get_all("Link") or []:
        if 'rel="alternate"' in link:
            assert session.must("alternate", link.split(">")[0].lstrip("<")).body


def extension_order(w):
    """A profile that is named is the one that is had (draft-ietf-acme-profiles)."""
    assert "server-tls" in w.one.directory["meta"]["profiles"], w.one.directory
    _, order = w.one.order(w.name("profile"), profile="server-tls")
    assert order["profile"] == "server-tls", order


def finalize_the_same_twice(w):
    """A client that lost the answer sends the same CSR again: it is told that the order has its certificate."""
    session, url, order = w.ready("lost")
    request = csr([w.name("lost")], ec.generate_private_key(ec.SECP256R1()))
    session.finalize(url, order, request)
    first = session.must("order", url).json["certificate"]
    session.post(order["finalize"], {"csr": b64(request)})
    assert session.must("order", url).json["certificate"] == first


RIGHT = [accounts_of_every_algorithm, bindings_of_every_algorithm, a_key_for_three_accounts, keys_of_every_algorithm_change, contacts, terms,
         nonces, media_type, pages_of_orders, names_once_in_small_letters, addresses, keys_of_certificates, common_name,
         revocation_by_the_certificate_key, revocation_by_another_account_that_proved_the_names, authorization_given_up,
         authorization_before_an_order, names_without_challenge, replacement, chains, extension_order, finalize_the_same_twice]
