"""One of the crowd: a device with a key, a credential and a bad line. What goes wrong is decided by its own random numbers,
so that the same seed has the same accidents in store for it, as far as the server's own timing lets it come to them."""

import base64
import collections
import hashlib
import ipaddress
import random
import threading
import time

import client as scep
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from crowd.wire import CUTS, ENDS, Lost, ask, break_off, request

DER = serialization.Encoding.DER
# What a device does in a step, and how often.
STEPS = {"plain": 30, "cut": 38, "slow": 3, "again": 9, "at once": 12, "in a row": 8}
# After how many steps a device has had enough of the storm.
MOST_STEPS = 5
# How often a device asks a server that does not answer, or says "later", before it gives up.
TRIES = 200


class Log:
    """What happened to everybody."""

    def __init__(self):
        self.lock, self.counts = threading.Lock(), collections.Counter()
        self.statuses, self.wrong = collections.Counter(), []

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def status(self, protocol, answer):
        with self.lock:
            self.statuses[f"{protocol} {answer}"] += 1

    def fault(self, text):
        with self.lock:
            self.wrong.append(text)


class Device:
    """What EST and SCEP devices have in common. Each has an address, a serial number, a key and a password of its own or of its
    carton; some are replaced by a spare part, with the same serial number, another key and another password."""

    protocol = None
    part = None  # (password, key) of the spare part

    def __init__(self, number, serial, place, log, seed):
        self.serial, self.place, self.log = serial, place, log
        self.chance = random.Random(f"{seed} {serial}")
        # 127.0.0.1 stays the server's.
        self.address = str(ipaddress.ip_address("127.16.0.0") + number)
        self.certificates, self.earlier, self.refused = {}, {}, False  # by SHA-256

    def storm(self):
        self.accidents()
        if self.replaced():
            self.accidents()

    def settle(self):
        self.insist()
        if self.replaced():
            self.insist()

    def replaced(self):
        """The spare part comes when the first one had its certificate, which counts no more from then on."""
        if not self.part or not self.certificates:
            return False
        self.use(*self.part)
        self.part, self.earlier, self.certificates = None, self.certificates, {}
        self.log.count("devices replaced")
        return True

    def accidents(self):
        """Tries to enrol, with accidents, until it has a certificate and is content, or has had enough."""
        message = self.message()
        for _ in range(self.chance.randint(1, MOST_STEPS)):
            step = self.chance.choices(list(STEPS), STEPS.values())[0]
            self.log.count(f"step: {step}")
            for _ in range(TRIES):
                try:
                    self.step(step, message)
                    break
                except Lost:
                    self.log.count("answers lost without our doing")
                    time.sleep(0.2)
            if self.certificates and self.chance.random() < 0.7:
                return
            if self.chance.random() < 0.4:
                # It does not remember what it sent, only its key.
                self.log.count("requests made anew")
                message = self.message()

    def step(self, step, message):
        if step == "cut":
            cut, end = self.chance.choice(CUTS), self.chance.choice(ENDS)
            self.log.count(f"cut {cut}, {end}")
            break_off(self.place, self.address, message, cut, end, self.chance)
        elif step == "at once":
            self.at_once(message)
        elif step == "in a row":
            # The server says which connections it keeps; what it closed early is lost, and that is allowed.
            self.take(ask(self.place, self.address, self.kept(message), copies=2))
        else:
            self.take(ask(self.place, self.address, message, self.chance, slowly=step == "slow"))
            if step == "again":
                self.take(ask(self.place, self.address, message))

    def at_once(self, message):
        """The same request on two connections in the same moment; one of them may be cut."""
        messages = [message, message if self.chance.random() < 0.6 else self.message()]
        is_cut = self.chance.random() < 0.3
        barrier, answers = threading.Barrier(2), []

        def one(index):
            barrier.wait()
            try:
                if is_cut and index == 1:
                    break_off(self.place, self.address, messages[index], "before the answer", "reset", self.chance)
                    return
                answers.extend(ask(self.place, self.address, messages[index]))
            except Lost:
                self.log.count("answers lost without our doing")

        other = threading.Thread(target=one, args=(1,))
        other.start()
        one(0)
        other.join()
        self.take(answers)

    @staticmethod
    def kept(message):
        return message.replace(b"\r\nConnection: close", b"", 1)

    def insist(self):
        """What a device does when the line is good again: it asks until it has a certificate or is refused."""
        message = self.message()
        for _ in range(TRIES):
            if self.certificates or self.refused:
                return
            try:
                self.take(ask(self.place, self.address, message))
            except Lost:
                pass
            if not self.certificates:
                time.sleep(0.2)

    def take(self, answers):
        for answer in answers:
            self.log.status(self.protocol, answer.status)
            certificate = self.read(answer)
            if certificate is None:
                continue
            der = certificate.public_bytes(DER)
            self.certificates[hashlib.sha256(der).hexdigest()] = certificate
            if certificate.public_key() != self.key.public_key() or serial_of(certificate) != self.serial:
                self.log.fault(f"{self.serial} was given the certificate of {certificate.subject.rfc4514_string()}")

    def no(self, answer):
        """"Later" is no refusal."""
        if answer.status != 503:
            self.refused = True
            self.log.fault(f"{self.serial}: {answer}")


class EstDevice(Device):
    protocol = "EST"

    def use(self, right, key):
        """Right and key are what a device enrols with from now on."""
        self.key, credential = key, base64.b64encode(":".join(right).encode()).decode()
        self.headers = [("Content-Type", "application/pkcs10"), ("Authorization", f"Basic {credential}")]

    def message(self):
        subject = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, self.serial)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.key, hashes.SHA256())
        body = base64.encodebytes(csr.public_bytes(DER))
        return request("POST", "/.well-known/est/crowd-est/simpleenroll", body, self.headers)

    def read(self, answer):
        if answer.status == 200:
            return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.body))[0]
        self.no(answer)
        return None


class ScepDevice(Device):
    protocol = "SCEP"
    server = None

    def use(self, right, key):
        self.key, self.challenge = key, right[1]
        # Many derive the transaction from the key, and come back to it; others begin another one each time.
        self.transaction = f"{self.serial}-{self.chance.getrandbits(64):x}" if self.chance.random() < 0.5 else None

    def message(self):
        # A common name that says something else each time makes another request of it, as RSA signatures alone would not.
        subject = scep.name(self.serial, f"{self.serial} {self.chance.randrange(1 << 30)}")
        device = scep.Device(self.server, self.serial, self.challenge, self.key, subject=subject)
        return request("POST", "/scep/crowd-scep?operation=PKIOperation", device.message(transaction=self.transaction),
                       [("Content-Type", "application/x-pki-message")])

    def read(self, answer):
        if answer.status != 200:
            self.no(answer)
            return None
        reply = scep.Reply(answer.body, self.server.ra, self.key)
        if reply.says != "issued":
            self.refused = True
            self.log.fault(f"{self.serial}: {reply.says} {reply.why}")
            return None
        return reply.issued[0]


def serial_of(certificate):
    found = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return found[0].value if len(found) == 1 else None
