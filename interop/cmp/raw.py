"""A CMP client down to the octets (RFC 9810, 4211), for messages that no proper client sends: DER written and read by hand,
PasswordBasedMac and signatures by Python's hashlib and cryptography."""

import hashlib
import hmac
import os
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PBM, SHA256, HMAC_SHA256 = "1.2.840.113533.7.66.13", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
IMPLICIT_CONFIRM = "1.3.6.1.5.5.7.4.13"
IR, IP, CR, P10CR, KUR, RR, PKICONF, NESTED, GENM, ERROR, CERT_CONF, POLL_REQ, POLL_REP = 0, 1, 2, 4, 7, 11, 19, 20, 21, 23, 24, 25, 26
FAILURES = ["badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId", "badDataFormat", "wrongAuthority", "incorrectData",
            "missingTimeStamp", "badPOP", "certRevoked", "certConfirmed", "wrongIntegrity", "badRecipientNonce", "timeNotAvailable",
            "unacceptedPolicy", "unacceptedExtension", "addInfoNotAvailable", "badSenderNonce", "badCertTemplate",
            "signerNotTrusted", "transactionIdInUse", "unsupportedVersion", "notAuthorized", "systemUnavail", "systemFailure",
            "duplicateCertReq"]


def tlv(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*parts):
    return tlv(0x30, *parts)


def explicit(number, *parts):
    return tlv(0xa0 | number, *parts)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value):
    return tlv(4, value)


def bits(value):
    return tlv(3, b"\0", value)


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        groups = [arc & 0x7f]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7f)
        out += bytes(reversed(groups))
    return tlv(6, out)


def read(data, at=0):
    """(tag, content, where it ends) of the element there."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length >= 128:
        count = length & 0x7f
        length, at = int.from_bytes(data[at:at + count], "big"), at + count
    if at + length > len(data):
        raise ValueError("cut short")
    return tag, data[at:at + length], at + length


def elements(content):
    """[(tag, content)] of a constructed content."""
    found, at = [], 0
    while at < len(content):
        tag, inner, at = read(content, at)
        found.append((tag, inner))
    return found


def name(common_name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]).public_bytes()


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def request(key, serial, proof="signature", cert_req_id=0, prover=None):
    """CertReqMsg (RFC 4211 §3) for a device."""
    template = seq(explicit(5, name(serial)), b"\xa6" + spki(key)[1:])
    wanted = seq(integer(cert_req_id), template)
    proofs = {
        "signature": lambda: tlv(0xa1, seq(oid(ECDSA_SHA256)), bits(sign(prover or key, wanted))),
        "none": lambda: b"",
        "raVerified": lambda: tlv(0x80),
        "keyEncipherment": lambda: explicit(2, tlv(0x81, b"\0")),
        "keyAgreement": lambda: explicit(3, tlv(0x81, b"\0")),
    }
    return seq(wanted, proofs[proof]())


class Answer:
    """What came back, taken apart; `raw` are its octets."""

    def __init__(self, status, raw):
        self.status, self.raw = status, raw
        self.body = self.recip_nonce = self.sender_nonce = self.transaction = self.certificate = None
        self.protected, self.failures, self.pki_status = False, [], None
        if not raw or raw[0] != 0x30:
            return
        (_, header), (body_tag, body), *rest = elements(read(raw)[1])
        self.body = body_tag & 0x1f
        self.protected = any(tag == 0xa0 for tag, _ in rest)
        for tag, content in elements(header)[3:]:
            if tag in (0xa4, 0xa5, 0xa6):
                value = read(content)[1]
                setattr(self, {0xa4: "transaction", 0xa5: "sender_nonce", 0xa6: "recip_nonce"}[tag], value)
        self.read_body(body)

    def read_body(self, body):
        if self.body == ERROR:
            self.read_status(elements(read(body)[1])[0][1])
        elif self.body in (IP, 3, 8):
            responses = elements(read(body)[1])[-1][1]
            fields = elements(elements(responses)[0][1])
            self.read_status(fields[1][1])
            if len(fields) > 2:
                self.certificate = x509.load_der_x509_certificate(elements(fields[2][1])[0][1])

    def read_status(self, info):
        fields = elements(info)
        self.pki_status = int.from_bytes(fields[0][1], "big")
        for tag, content in fields[1:]:
            if tag == 3:
                number = int.from_bytes(content[1:], "big") >> content[0]
                width = 8 * (len(content) - 1) - content[0]
                self.failures = [FAILURES[n] for n in range(width) if number >> (width - 1 - n) & 1]

    def __repr__(self):
        return f"HTTP {self.status}, body {self.body}, status {self.pki_status}, {self.failures}"


class Talk:
    """One transaction of a device that knows a reference and a secret."""

    def __init__(self, url, reference, secret):
        self.url, self.reference, self.secret = url, reference.encode(), secret.encode()
        self.transaction, self.nonce = os.urandom(16), None

    def header(self, **bent):
        salt = os.urandom(16)
        fields = {"version": 2, "transaction": self.transaction, "sender_nonce": os.urandom(16), "recip_nonce": self.nonce,
                  "iterations": 500, "implicit": False, "salt": salt} | bent
        algorithm = seq(oid(PBM), seq(octets(fields["salt"]), seq(oid(SHA256)), integer(fields["iterations"]), seq(oid(HMAC_SHA256))))
        parts = [integer(fields["version"]), explicit(4, name("device")), explicit(4, seq()), explicit(1, algorithm),
                 explicit(2, octets(self.reference))]
        for number, key in ((4, "transaction"), (5, "sender_nonce"), (6, "recip_nonce")):
            if fields[key] is not None:
                parts.append(explicit(number, octets(fields[key])))
        if fields["implicit"]:
            parts.append(explicit(8, seq(seq(oid(IMPLICIT_CONFIRM), tlv(5)))))
        return seq(*parts), fields["salt"], fields["iterations"]

    def message(self, tag, body, **bent):
        header, salt, iterations = self.header(**bent)
        body = explicit(tag, body)
        key = self.secret + salt
        for _ in range(min(iterations, 100_000)):
            key = hashlib.sha256(key).digest()
        mac = hmac.new(key, seq(header, body), "sha256").digest()
        return seq(header, body, explicit(0, bits(mac)))

    def say(self, tag, body, **bent):
        return self.post(self.message(tag, body, **bent))

    def post(self, message, media_type="application/pkixcmp"):
        answer = post(self.url, message, media_type)
        if answer.sender_nonce:
            self.nonce = answer.sender_nonce
        return answer

    def initial(self, key, serial, **bent):
        return self.say(IR, seq(request(key, serial)), **bent)

    def confirm(self, certificate, cert_hash=None, cert_req_id=0, **bent):
        algorithm = certificate.signature_hash_algorithm
        digest = hashlib.new(algorithm.name, certificate.public_bytes(serialization.Encoding.DER)).digest()
        return self.say(CERT_CONF, seq(seq(octets(cert_hash or digest), integer(cert_req_id))), **bent)


def post(url, message, media_type="application/pkixcmp"):
    asked = urllib.request.Request(url, message, {"Content-Type": media_type})
    try:
        with urllib.request.urlopen(asked, timeout=30) as got:
            return Answer(got.status, got.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())
