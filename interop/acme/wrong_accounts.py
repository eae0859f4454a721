"""Wrong messages about accounts: binding, contacts, terms, deactivation, key change (RFC 8555 §7.3)."""



from raw import Key, bound, jws
from wrong import section, several


def register(w, directory="open", key=None, **payload):
    session = w.session(directory, key)
    return session.post(session.directory["newAccount"], {"termsOfServiceAgreed": True} | payload)


# --- binding --------------------------------------------------------------------------------------

wrong = section("External account binding (RFC 8555 §7.3.4)")


def bind(w, change=lambda binding: binding, directory="bound", **options):
    """A newAccount whose binding is made with what `options` replace, then changed by hand."""
    session = w.session(directory)
    url = session.directory["newAccount"]
    kid, mac = options.pop("account", None) or w.external()
    binding = bound(options.pop("kid", kid), options.pop("mac", mac), options.pop("url", url), options.pop("key", session.key), **options)
    return session.post(url, {"termsOfServiceAgreed": True, "externalAccountBinding": change(binding)})


@wrong("no binding where one is required", 403, "externalAccountRequired", "RFC 8555 §7.3.4")
def missing(w):
    return register(w, "bound")


@wrong("a binding under the wrong MAC key", 403, "unauthorized", "RFC 8555 §7.3.4")
def wrong_mac(w):
    return bind(w, secret=bytes(32))


@wrong("a binding whose MAC has one bit changed", 403, "unauthorized", "RFC 8555 §7.3.4")
def changed_mac(w):
    return bind(w, lambda binding: binding | {"signature": ("B" if binding["signature"][0] == "A" else "A") + binding["signature"][1:]})


@wrong("a binding without MAC", 403, "unauthorized", "RFC 8555 §7.3.4")
def no_mac(w):
    return bind(w, lambda binding: binding | {"signature": ""})


@wrong("a binding of a key that nobody gave out", 403, "unauthorized", "RFC 8555 §7.3.4")
def unknown_kid(w):
    return bind(w, kid="e0123456789abcdef")


@wrong("a binding for another URL", 400, "malformed", "RFC 8555 §7.3.4")
def other_url(w):
    return bind(w, url=w.directories["bound"])


@wrong("a binding for another account key", 400, "malformed", "RFC 8555 §7.3.4")
def other_key(w):
    return bind(w, key=Key())


@several(wrong, 400, "malformed", "RFC 8555 §7.3.4", [("a binding with a nonce", {"nonce": "AAAA"}), ("a binding with `jwk`", {"jwk": {}})])
def more_header(w, header):
    return bind(w, **header)


@several(wrong, 400, "badSignatureAlgorithm", "RFC 8555 §7.3.4", [(f"a binding with `alg` {alg}", alg) for alg in ("none", "ES256", "HS1")])
def binding_algorithm(w, alg):
    return bind(w, alg=alg)


@several(wrong, 400, "malformed", "RFC 8555 §7.3.4", [("a binding that is a string", "x"), ("a binding that is an array", []), ("an empty binding", {}),
                                                      ("a binding that is `true`", True)])
def no_jws(w, value):
    return register(w, "bound", externalAccountBinding=value)


@wrong("the binding of an account that is bound already (single use)", 403, "unauthorized", "RFC 8555 §7.3.4")
def reused(w):
    account = w.external(uses=1)
    first = bind(w, account=account)
    assert first.status == 201, first
    return bind(w, account=account)


@wrong("a binding with a key that has expired", 403, "unauthorized", "RFC 8555 §7.3.4")
def expired(w):
    return bind(w, account=w.external(expired=True))


@wrong("a binding with a key that has been revoked", 403, "unauthorized", "RFC 8555 §7.3.4")
def revoked(w):
    return bind(w, account=w.external(revoked=True))


@wrong("a binding with a key for another directory", 403, "unauthorized", "RFC 8555 §7.3.4")
def other_directory(w):
    return bind(w, account=w.external(directory="narrow"))


# --- accounts -------------------------------------------------------------------------------------

wrong = section("Accounts (RFC 8555 §7.3)")


@wrong("terms that are not agreed to", 403, "userActionRequired", "RFC 8555 §7.3, §6.7")
def terms(w):
    session = w.session("terms")
    return session.post(session.directory["newAccount"], {})


@wrong("onlyReturnExisting with a key that nobody has", 400, "accountDoesNotExist", "RFC 8555 §7.3.1")
def only_existing(w):
    return register(w, onlyReturnExisting=True)


@several(wrong, 400, "unsupportedContact", "RFC 8555 §7.3", [("a contact that is a telephone number", "tel:+1201555123"), ("a contact that is a web address", "https://hospital.test/")])
def unsupported_contact(w, contact):
    return register(w, contact=[contact])


@several(wrong, 400, "invalidContact", "RFC 8555 §7.3", [
    ("a mailto contact with two addresses", "mailto:a@hospital.test,b@hospital.test"), ("a mailto contact with a subject", "mailto:a@hospital.test?subject=x"),
    ("a mailto contact that is no address", "mailto:nobody"), ("an empty mailto contact", "mailto:"), ("a mailto contact with a line break", "mailto:a@hospital.test\nBcc: b@c.test")])
def invalid_contact(w, contact):
    return register(w, contact=[contact])


@wrong("10,000 letters of a contact", 400, "invalidContact", "RFC 8555 §7.3")
def long_contact(w):
    return register(w, contact=["mailto:" + "a" * 10_000 + "@hospital.test"])


@several(wrong, 400, "malformed", "RFC 8555 §7.1.2", [("contacts that are a string", "mailto:a@hospital.test"), ("a contact that is a number", [7])])
def no_contacts(w, contact):
    return register(w, contact=contact)


@wrong("1,000 contacts", 400, "invalidContact", "RFC 8555 §7.3")
def many_contacts(w):
    return register(w, contact=[f"mailto:a{number}@hospital.test" for number in range(1000)])


@several(wrong, 400, "malformed", "RFC 8555 §7.3.2, §7.3.6", [(f"an account's status set to {status}", status) for status in ("revoked", "nonsense")])
def status(w, value):
    session = w.account()
    return session.post(session.account, {"status": value})


@wrong("an update of somebody else's account", 403, "unauthorized", "RFC 8555 §7.3.2")
def others_account(w):
    return w.one.post(w.two.account, {"contact": []})


@wrong("the orders of somebody else", 403, "unauthorized", "RFC 8555 §7.1.2.1")
def others_orders(w):
    return w.one.post(w.two.account + "/orders")


@several(wrong, 400, "malformed", "RFC 8555 §7.1.2.1", [("a page of orders that is nonsense", "nonsense"), ("a page of orders with a negative number", "-1"),
                                                        ("a page of orders with a very large number", "9" * 40), ("a page of orders that quotes SQL", "%27--")])
def cursor(w, value):
    w.order(w.one, "cursor")
    return w.one.post(w.one.account + "/orders?cursor=" + value)


def deactivated(w):
    session = w.account()
    _, order = w.order(session, "deactivated")
    done = session.post(session.account, {"status": "deactivated"})
    assert done.status == 200 and done.json["status"] == "deactivated", done
    return session, order


@several(wrong, 401, "unauthorized", "RFC 8555 §7.3.6", [(f"a deactivated account: {what}", what) for what in ("a new order", "an older authorization", "itself", "a key change")])
def after_deactivation(w, what):
    session, order = deactivated(w)
    url, payload = {"a new order": (session.directory["newOrder"], {"identifiers": [{"type": "dns", "value": w.name("x")}]}),
                    "an older authorization": (order["authorizations"][0], ""), "itself": (session.account, ""),
                    "a key change": (session.directory["keyChange"], {})}[what]
    return session.post(url, payload)


@wrong("a deactivated account's key for a new account", 401, "unauthorized", "RFC 8555 §7.3.1, §7.3.6")
def revived(w):
    session, _ = deactivated(w)
    return w.session(key=session.key).post(session.directory["newAccount"], {"termsOfServiceAgreed": True})


# --- key change -----------------------------------------------------------------------------------

wrong = section("Key change (RFC 8555 §7.3.5)")


def change(w, session=None, new=None, signer=None, inner=None, outer=None, **payload):
    """A key change from `session` to `new`, with members of the inner header and payload replaced (None leaves out)."""
    session, new = session or w.account(), new or Key()
    url = session.directory["keyChange"]
    header = {"alg": new.alg, "jwk": new.jwk, "url": url} | (inner or {})
    content = {"account": session.account, "oldKey": session.key.jwk} | payload
    message = jws(signer or new, {name: value for name, value in header.items() if value is not None},
                  {name: value for name, value in content.items() if value is not None})
    return session.post(url, message, **(outer or {}))


@several(wrong, 400, "malformed", "RFC 8555 §7.3.5", [
    ("the inner message has no `jwk`", {"jwk": None}), ("the inner message has `kid`", {"kid": "https://ca.test/1"}),
    ("the inner message has `kid` in place of `jwk`", {"jwk": None, "kid": "https://ca.test/1"}),
    ("the inner message has a nonce", {"nonce": "AAAA"}), ("the inner message is for another URL", {"url": "https://ca.test/"}),
    ("the inner message has no `url`", {"url": None})])
def inner_header(w, header):
    return change(w, inner=header)


@several(wrong, 400, "malformed", "RFC 8555 §7.3.5", [
    ("the inner message names another account", {"account": "https://ca.test/acme/open/account/1"}), ("the inner message names no account", {"account": None}),
    ("the inner message names another old key", {"oldKey": Key().jwk}), ("the inner message names no old key", {"oldKey": None}),
    ("the old key is a string", {"oldKey": "x"})])
def inner_payload(w, payload):
    return change(w, **payload)


@wrong("the inner message is signed by another key", 400, "malformed", "RFC 8555 §7.3.5")
def inner_signature(w):
    return change(w, signer=Key())


@wrong("the inner message is signed by the old key", 400, "malformed", "RFC 8555 §7.3.5")
def inner_by_old(w):
    session = w.account()
    return change(w, session=session, signer=session.key)


@several(wrong, 400, "badSignatureAlgorithm", "RFC 8555 §6.2, §7.3.5", [(f"the inner message has `alg` {alg}", alg) for alg in ("none", "HS256")])
def inner_algorithm(w, alg):
    return change(w, inner={"alg": alg})


@several(wrong, 400, "malformed", "RFC 8555 §7.3.5", [("the payload is no JWS", {"x": 1}), ("the payload is empty", ""), ("the payload is a string", '"x"')])
def no_inner(w, payload):
    return w.one.post(w.one.directory["keyChange"], payload)


@wrong("the new key is the old key", 409, "malformed", "RFC 8555 §7.3.5")
def same_key(w):
    session = w.account()
    return change(w, session=session, new=session.key)


@wrong("the new key is an RSA key of 1024 bits", 400, "badPublicKey", "RFC 8555 §6.7")
def weak_key(w):
    return change(w, new=Key("RS256", bits=1024))


@wrong("the new key belongs to another account", 409, "malformed", "RFC 8555 §7.3.5")
def taken_key(w):
    return change(w, new=w.two.key)


@wrong("a key change signed with `jwk`", 400, "malformed", "RFC 8555 §7.3.5")
def outer_jwk(w):
    session = w.account()
    return change(w, session=session, outer={"kid": None, "jwk": session.key.jwk})


@wrong("after a key change, a message signed by the old key", 400, "malformed", "RFC 8555 §7.3.5")
def old_key(w):
    session, new = w.account(), Key()
    done = change(w, session=session, new=new)
    assert done.status == 200, done
    return session.post(session.account)
