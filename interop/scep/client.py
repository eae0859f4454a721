"""A SCEP client written from RFC 8894 and the quirks of real ones, which says what it is told to say, right or wrong.

Certificates, keys and ciphers are pyca/cryptography's; the messages are put together by hand, since no library writes
the wrong ones."""

import base64
import datetime
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import AttributeOID, NameOID

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    TripleDES = algorithms.TripleDES

from der import NULL, Node, algorithm, bits, integer, octets, oid, printable, seq, set_of, tlv

DATA, SIGNED, ENVELOPED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SCEP = "2.16.840.1.113733.1.9."
MESSAGE_TYPE, STATUS, FAIL_INFO, SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION = (SCEP + str(n) for n in range(2, 8))
FAIL_TEXT = "1.3.6.1.5.5.7.24.1"
RSA = "1.2.840.113549.1.1.1"
DIGESTS = {
    "md5": ("1.2.840.113549.2.5", hashes.MD5()),
    "sha1": ("1.3.14.3.2.26", hashes.SHA1()),
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
}
SIGNATURES = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5", "sha256": "1.2.840.113549.1.1.11"}
CIPHERS = {
    # 3DES with one key three times is DES.
    "des": ("1.3.14.3.2.7", 8, 8, lambda key: TripleDES(key * 3)),
    "3des": ("1.2.840.113549.3.7", 24, 8, TripleDES),
    "aes128": ("2.16.840.1.101.3.4.1.2", 16, 16, algorithms.AES),
    "aes192": ("2.16.840.1.101.3.4.1.22", 24, 16, algorithms.AES),
    "aes256": ("2.16.840.1.101.3.4.1.42", 32, 16, algorithms.AES),
}
ISSUED, FAILED, WAITS = "0", "2", "3"
FAILURES = {"0": "badAlg", "1": "badMessageCheck", "2": "badRequest", "3": "badTime", "4": "badCertId"}
_KEYS = []


def rsa_key(size=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def spare_key():
    """Keys for what needs a key, not a new one."""
    if len(_KEYS) < 4:
        _KEYS.append(rsa_key())
        return _KEYS[-1]
    return secrets.choice(_KEYS)


def name(serial, common="device", order=None):
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if serial is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Pumps, Inc."))
    return x509.Name(reversed(parts) if order == "reversed" else parts)


def request(key, subject, challenge=None, digest="sha256", names=()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if challenge is not None:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    if digest not in ("md5", "sha1"):
        return builder.sign(key, DIGESTS[digest][1])
    # The library signs no request with these; hands do.
    unsigned = builder.sign(key, hashes.SHA256()).tbs_certrequest_bytes
    signature = key.sign(unsigned, rsa_padding.PKCS1v15(), DIGESTS[digest][1])
    return x509.load_der_x509_csr(seq(unsigned, algorithm(SIGNATURES[digest]), bits(signature)))


def self_signed(key, subject, digest="sha256", version=3, days=7, ago=0, issuer=None, issuer_key=None):
    """A certificate of one's own. Version 1 and MD5 need hands."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(days=ago)
    if version == 3:
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
                .public_key(key.public_key()).serial_number(secrets.randbits(64) | 1).not_valid_before(now)
                .not_valid_after(now + datetime.timedelta(days=days)).sign(issuer_key or key, DIGESTS[digest][1]))
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    rsa_with = algorithm(SIGNATURES[digest])
    dates = [tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
             for moment in (now, now + datetime.timedelta(days=days))]
    tbs = seq(integer(1), rsa_with, subject.public_bytes(), seq(*dates), subject.public_bytes(), spki)
    signature = key.sign(tbs, rsa_padding.PKCS1v15(), DIGESTS[digest][1])
    return x509.load_der_x509_certificate(seq(tbs, rsa_with, bits(signature)))


def digest_of(kind, data):
    digest = hashes.Hash(DIGESTS[kind][1])
    digest.update(data)
    return digest.finalize()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def issuer_and_serial(certificate, order=None):
    issuer = certificate.issuer
    if order == "reversed":
        issuer = x509.Name(list(certificate.issuer)[::-1])
    return seq(issuer.public_bytes(), integer(certificate.serial_number))


def seal(content, recipient, cipher="aes128", order=None, spoil=None):
    """EnvelopedData for one RSA recipient. `spoil` makes it wrong: see below."""
    cipher_oid, size, block, kind = CIPHERS[cipher]
    key, iv = os.urandom(size), os.urandom(block)
    pad = padding.PKCS7(block * 8).padder()
    padded = pad.update(content) + pad.finalize()
    if spoil == "content padding":
        padded = padded[:-1] + b"\xff"
    encrypt = Cipher(kind(key), modes.CBC(iv)).encryptor()
    encrypted = encrypt.update(padded) + encrypt.finalize()
    if spoil == "content":
        encrypted = os.urandom(len(encrypted))
    public = recipient.public_key()
    if spoil in ("key padding", "key length"):
        wrong = (b"\x03" if spoil == "key padding" else b"\x02") + b"\xaa" * 200 + b"\0"
        numbers, width = public.public_numbers(), public.key_size // 8
        block_type = (b"\0" + wrong + os.urandom(width)) if spoil == "key padding" else (
            b"\0\x02" + b"\xaa" * (width - 2 - 1 - 5) + b"\0" + b"\x01" * 5)
        transported = pow(int.from_bytes(block_type[:width], "big"), numbers.e, numbers.n).to_bytes(width, "big")
    elif spoil == "another key":
        transported = public.encrypt(os.urandom(size), rsa_padding.PKCS1v15())
    elif spoil == "key beyond the modulus":
        transported = b"\xff" * (public.key_size // 8)
    elif spoil == "key cut short":
        transported = b"\x01" * 16
    else:
        transported = public.encrypt(key, rsa_padding.PKCS1v15())
    info = seq(integer(0), issuer_and_serial(recipient, order), algorithm(RSA), octets(transported))
    return seq(oid(ENVELOPED), tlv(0xA0, seq(integer(0), tlv(0x31, info), seq(
        oid(DATA), algorithm(cipher_oid, octets(iv)), tlv(0x80, encrypted)))))


def sign(content, certificate, key, attributes, digest="sha256", chain=(), order=None, unsorted=False, signature_oid=RSA):
    """SignedData with one signer. `content` None leaves it out."""
    digest_oid = DIGESTS[digest][0]
    parts = [seq(oid(CONTENT_TYPE), set_of(oid(DATA))),
             seq(oid(MESSAGE_DIGEST), set_of(octets(digest_of(digest, content or b""))))]
    parts += [seq(oid(kind), set_of(value)) for kind, value in attributes]
    # What is signed is the SET in DER; what is sent, some clients leave as they wrote it.
    signed = set_of(*parts)
    signature = key.sign(signed, rsa_padding.PKCS1v15(), DIGESTS[digest][1])
    sent = b"".join(parts) if unsorted else Node(signed).value
    signer = seq(integer(1), issuer_and_serial(certificate, order), algorithm(digest_oid), tlv(0xA0, sent),
                 algorithm(signature_oid), octets(signature))
    inner = seq(oid(DATA)) if content is None else seq(oid(DATA), tlv(0xA0, octets(content)))
    return seq(oid(SIGNED), tlv(0xA0, seq(
        integer(1), tlv(0x31, algorithm(digest_oid)), inner,
        tlv(0xA0, der(certificate), *[der(c) for c in chain]), tlv(0x31, signer))))


class Reply:
    """A CertRep: verified, opened, every field as it stands."""

    def __init__(self, message, verify_with, key=None):
        signed = Node(message)[1][0]
        fields = signed.children()
        inner = fields[2].children()
        self.content = inner[1][0].value if len(inner) > 1 else None
        self.certificates = [child.raw for child in fields[3].children()] if fields[3].tag == 0xA0 else []
        signer = fields[-1][0].children()
        self.digest = next(k for k, v in DIGESTS.items() if oid(v[0]) == signer[2][0].raw)
        attributes = {child[0].raw: child[1][0] for child in signer[3].children()}
        signed_bytes = b"\x31" + signer[3].raw[1:]
        public = verify_with.public_key()
        public.verify(signer[5].value, digest_of(self.digest, signed_bytes), rsa_padding.PKCS1v15(),
                      Prehashed(DIGESTS[self.digest][1]))
        assert attributes[oid(MESSAGE_DIGEST)].value == digest_of(self.digest, self.content or b""), "message digest"
        assert attributes[oid(CONTENT_TYPE)].raw == oid(DATA), "content type"
        text = lambda kind: attributes[oid(kind)].value.decode() if oid(kind) in attributes else None  # noqa: E731
        self.tags = {kind: attributes[oid(kind)].tag for kind in (MESSAGE_TYPE, STATUS, TRANSACTION, SENDER_NONCE,
                                                                 RECIPIENT_NONCE, FAIL_INFO) if oid(kind) in attributes}
        self.type, self.status, self.transaction = text(MESSAGE_TYPE), text(STATUS), text(TRANSACTION)
        self.failure, self.why = FAILURES.get(text(FAIL_INFO)), text(FAIL_TEXT)
        self.sender_nonce = attributes[oid(SENDER_NONCE)].value
        recipient = attributes.get(oid(RECIPIENT_NONCE))
        self.recipient_nonce = recipient.value if recipient else None
        self.signer_serial = signer[1][1].value
        self.cipher, self.issued, self.lists = None, [], []
        if self.content and key:
            self.open(key)

    def open(self, key):
        envelope = Node(self.content)[1][0].children()
        info = envelope[1][0].children()
        content = envelope[2].children()
        self.cipher = next(k for k, v in CIPHERS.items() if oid(v[0]) == content[1][0].raw)
        _, _, block, kind = CIPHERS[self.cipher]
        secret = key.decrypt(info[3].value, rsa_padding.PKCS1v15())
        decrypt = Cipher(kind(secret), modes.CBC(content[1][1].value)).decryptor()
        padded = decrypt.update(content[2].value) + decrypt.finalize()
        unpad = padding.PKCS7(block * 8).unpadder()
        self.plain = unpad.update(padded) + unpad.finalize()
        for field in Node(self.plain)[1][0].children():
            if field.tag == 0xA0:
                self.issued = [x509.load_der_x509_certificate(child.raw) for child in field.children()]
            if field.tag == 0xA1:
                self.lists = [x509.load_der_x509_crl(child.raw) for child in field.children()]

    @property
    def says(self):
        return {ISSUED: "issued", WAITS: "pending"}.get(self.status) or self.failure


class Server:
    """A SCEP server by its URL."""

    def __init__(self, url, context=None):
        self.url, self.context = url, context
        self.ra = self.chain = None

    def http(self, query, body=None, headers=None, method=None):
        """(status, content type, bytes)"""
        wanted = urllib.request.Request(f"{self.url}?{query}", body, headers or {}, method=method)
        if body is not None and "Content-Type" not in (headers or {}):
            # urllib would say application/x-www-form-urlencoded.
            wanted.add_unredirected_header("Content-type", "application/x-pki-message")
        try:
            with urllib.request.urlopen(wanted, timeout=30, context=self.context) as answer:
                return answer.status, answer.headers.get("Content-Type"), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("Content-Type"), error.read()

    def learn(self):
        """GetCACert: RA certificate first, then the chain."""
        status, kind, body = self.http("operation=GetCACert")
        assert status == 200, (status, body)
        if kind == "application/x-x509-ca-cert":
            self.chain = [x509.load_der_x509_certificate(body)]
        else:
            fields = Node(body)[1][0].children()
            members = next(field for field in fields if field.tag == 0xA0)
            self.chain = [x509.load_der_x509_certificate(child.raw) for child in members.children()]
        self.ra = self.chain[0]
        return kind

    def send(self, message, how="POST", key=None):
        """A reply, or (status, text) where there is none."""
        if how == "POST":
            answer = self.http("operation=PKIOperation", message)
        else:
            text = base64.b64encode(message).decode()
            answer = self.http("operation=PKIOperation&message=" + how(text))
        status, kind, body = answer
        if status != 200:
            return status, body.decode(errors="replace")
        assert kind == "application/x-pki-message", kind
        return Reply(body, self.ra, key)


class Device:
    """One device with a key, a request and a certificate of its own to sign with."""

    def __init__(self, server, serial, challenge=None, key=None, signer=None, signer_key=None, **shape):
        self.server, self.serial = server, serial
        self.key = key or spare_key()
        self.subject = shape.pop("subject", None) or name(serial)
        self.request = request(self.key, self.subject, challenge, digest=shape.pop("csr_digest", "sha256"),
                               names=shape.pop("names", ()))
        self.signer_key = signer_key or self.key
        self.signer = signer or self_signed(self.signer_key, self.subject, **shape)
        self.transaction = secrets.token_hex(16).upper()

    def message(self, kind="19", content=None, cipher="aes128", digest="sha256", recipient=None, transaction=None,
                nonce=None, spoil=None, recipient_order=None, signer_order=None, without=(), chain=(), **more):
        self.nonce = nonce or os.urandom(16)
        content = self.request.public_bytes(serialization.Encoding.DER) if content is None else content
        sealed = seal(content, recipient or self.server.ra, cipher, recipient_order, spoil)
        attributes = [(MESSAGE_TYPE, printable(kind)), (TRANSACTION, printable(transaction or self.transaction)),
                      (SENDER_NONCE, octets(self.nonce))]
        attributes = [(name_, value) for name_, value in attributes if name_ not in without]
        return sign(sealed, self.signer, self.signer_key, attributes, digest, chain, signer_order, **more)

    def ask(self, kind="19", how="POST", **options):
        return self.server.send(self.message(kind, **options), how, self.signer_key)

    def poll(self, **options):
        content = seq(self.server.chain[-1].subject.public_bytes(), self.subject.public_bytes())
        return self.ask("20", content=content, **options)

    def renewed(self, certificate, key=None, challenge=None):
        """The same device, which now signs with a certificate that it was given."""
        again = Device(self.server, self.serial, challenge, key or self.key, certificate, self.key,
                       subject=certificate.subject)
        return again


def quoted(text):
    return urllib.parse.quote(text, safe="")


def cisco(text):
    """Wrapped at 64 columns with %0A; + and / encoded."""
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "%0A".join(urllib.parse.quote(line, safe="") for line in lines) + "%0A"


def apple(text):
    """`+` left as it is."""
    return urllib.parse.quote(text, safe="+/")


def form_decoded(text):
    """What a proxy makes of a `+`."""
    return urllib.parse.quote(text.replace("+", " "), safe="/")


__all__ = [name for name in dir() if not name.startswith("_")] + ["pkcs7", "NULL"]
