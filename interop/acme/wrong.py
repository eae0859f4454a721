"""How the table of wrong messages is written down, and the world that they are sent in."""

import json
import time

from raw import ERROR, Session, Wire

TABLE = []


class Case:
    def __init__(self, section, sent, status, error, clause, slow, send):
        self.section, self.sent, self.status, self.error = section, sent, status, error
        self.clause, self.slow, self.send = clause, slow, send


def section(name):
    """Gives the decorator of one section's cases: `@wrong("what is sent", 400, "malformed", "RFC 8555 §6.2")`."""

    def wrong(sent, status, error, clause, slow=False):
        def note(send):
            TABLE.append(Case(name, sent, status, error, clause, slow, send))
            return send

        return note

    return wrong


def several(wrong, status, error, clause, table, slow=False):
    """Cases that differ in one value: `@several(wrong, 400, "malformed", "§…", [("what is sent", value), …])`."""

    def note(send):
        for sent, value in table:
            wrong(sent, status, error, clause, slow)(lambda w, value=value: send(w, value))
        return send

    return note


class Invalid:
    """What became of an authorization instead of a refusal: the error of its challenge (RFC 8555 §7.1.6, §8.2)."""

    status = "authorization invalid"

    def __init__(self, challenge):
        self.error = challenge.get("error", {})
        self.problem = str(self.error.get("type", "(no error)")).removeprefix(ERROR)

    def __repr__(self):
        return json.dumps(self.error)


class World:
    """Directories of one server, machines that answer challenges, and accounts to send wrong messages from.

    `directories` maps a name to a URL: `open` takes anybody, `bound` only accounts with an external one, `terms` only
    who agrees to them, `narrow` only names below narrow.{domain} and no wildcard, `tight` two orders an hour.
    `external(**options)` makes an external account key for `bound` and gives (kid, MAC key).
    """

    def __init__(self, ca, directories, domain, solver, external, lab):
        self.ca, self.directories, self.domain, self.solver = ca, directories, domain, solver
        self.external, self.lab = external, lab
        self.one, self.two = self.account(), self.account()

    def session(self, directory="open", key=None):
        return Session(self.directories[directory], self.ca, key, Wire(self.ca))

    def account(self, directory="open", key=None):
        return self.session(directory, key).register()

    def name(self, label):
        return f"{label}.{self.domain}"

    def order(self, session, *labels):
        """(URL, object) of an order for names below the prober's domain."""
        return session.order(*(self.name(label) for label in labels))

    def ready(self, label, session=None):
        """(session, URL, object) of an order whose names are proved."""
        session = session or self.account()
        url, order = self.order(session, label)
        session.prove(order, self.solver)
        return session, url, session.wait("order", url, ("pending",), "ready")

    def failed(self, label, answer, kind="http-01", session=None, domain=None):
        """The error that a challenge ends in when its responder gives `answer`."""
        session = session or self.account()
        _, order = session.order(domain or self.name(label))
        _, challenge, text = session.challenge(order["authorizations"][0], kind)
        if answer is not None:
            self.solver.put(challenge["token"], answer(text, challenge["token"]))
        session.must("challenge", challenge["url"], {})
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            found = session.must("authorization", order["authorizations"][0]).json
            if found["status"] == "invalid":
                return Invalid(next(other for other in found["challenges"] if other["type"] == kind))
            if found["status"] != "pending":
                raise AssertionError(f"the authorization is {found['status']}")
            time.sleep(0.2)
        raise AssertionError("the authorization is pending for ever")

    def issued(self, label, session=None):
        """(session, certificate, its key)."""
        session = session or self.account()
        certificate, _, key = session.certificate([self.name(label)], self.solver)
        return session, certificate, key
