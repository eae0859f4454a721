"""Machines that answer challenges wrongly, and wrong messages about certificates (RFC 8555 §7.4.2, §7.6, §8; RFC 9773)."""

import datetime
import hashlib
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from raw import Key, b64, csr
from wrong import section, several

AUTHORIZATION = "authorization invalid"

# --- http-01 --------------------------------------------------------------------------------------

wrong = section("Machines that answer http-01 wrongly (RFC 8555 §8.3)")


def respond(status, body=b"", headers=()):
    """An answer of the responder, in bytes."""

    def answer(request):
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def hang(request):
    time.sleep(60)


def drip(request):
    """A letter a second."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(1)


def drip_headers(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        request.wfile.write(f"X-{number}: x\r\n".encode())
        request.wfile.flush()
        time.sleep(1)


def flood(length):
    """A gigabyte, or as much of it as the other side takes."""

    def answer(request):
        request.send_response(200)
        if length:
            request.send_header("Content-Length", str(1 << 30))
        request.end_headers()
        for _ in range(1 << 14):
            request.wfile.write(b"x" * (1 << 16))

    return answer


def flood_headers(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1 << 14):
        request.wfile.write(f"X-{number}: {'x' * 65000}\r\n".encode())


def no_http(request):
    request.wfile.write(b"220 mail.hospital.test ESMTP\r\n")


def redirect(to):
    return lambda text, token: respond(302, headers=[("Location", to.replace("TOKEN", token))])


@several(wrong, AUTHORIZATION, "unauthorized", "RFC 8555 §8.3", [
    ("a file that is not there (404)", None), ("another key authorization", lambda text, token: "something else"),
    ("a file that is empty", lambda text, token: respond(200)), ("the token alone", lambda text, token: token),
    ("the right key authorization with letters after it", lambda text, token: text + "x"),
    ("the key authorization of another account", lambda text, token: f"{token}.{Key().thumbprint}"),
    ("the right content with the status 500", lambda text, token: respond(500, text.encode()))], slow=True)
def content(w, answer):
    return w.failed("content", answer)


@several(wrong, AUTHORIZATION, "incorrectResponse", "RFC 8555 §8.3, §10.4", [
    ("a gigabyte, announced", lambda text, token: flood(True)), ("a gigabyte, not announced", lambda text, token: flood(False))], slow=True)
def gigabyte(w, answer):
    return w.failed("gigabyte", answer)


@several(wrong, AUTHORIZATION, "connection", "RFC 8555 §8.3, §10.4", [
    ("no answer at all", hang), ("a letter a second", drip), ("a line of the header a second", drip_headers),
    ("the connection is closed", lambda request: None)], slow=True)
def slowly(w, answer):
    return w.failed("slowly", lambda text, token: answer)


@several(wrong, AUTHORIZATION, "connection", "RFC 8555 §8.3, §10.4", [("another protocol", no_http), ("a header that does not end", flood_headers)], slow=True)
def other_protocol(w, answer):
    return w.failed("protocol", lambda text, token: answer)


@several(wrong, AUTHORIZATION, "connection", "RFC 8555 §8.3, §10.2, §10.4", [
    ("redirected to a metadata address", "http://169.254.169.254/latest/meta-data/"), ("redirected to an IPv6 metadata address", "http://[fd00:ec2::254]/"),
    ("redirected to a name whose address is a metadata address", "http://metadata.hospital.test/")], slow=True)
def redirected_inside(w, to):
    return w.failed("inside", redirect(to))


@several(wrong, AUTHORIZATION, "incorrectResponse", "RFC 8555 §8.3, §10.2, §10.4", [
    ("redirected to itself, for ever", "/.well-known/acme-challenge/TOKEN"), ("redirected to a metadata address in another spelling", "http://0xa9fea9fe/"),
    ("redirected to a file", "file:///etc/passwd"), ("redirected to FTP", "ftp://127.0.0.1/"), ("redirected to another port", "http://127.0.0.1:22/"),
    ("redirected to nowhere", "http://"), ("redirected to a URL with a password", "http://user:secret@169.254.169.254/")], slow=True)
def redirected(w, to):
    return w.failed("redirected", redirect(to))


@wrong("eleven redirects to other files", AUTHORIZATION, "incorrectResponse", "RFC 8555 §8.3, §10.4", slow=True)
def far(w):
    def hop(number):
        def answer(text, token):
            return respond(302, headers=[("Location", f"/.well-known/acme-challenge/{token}-{number}")])

        return answer

    def first(text, token):
        for number in range(20):
            w.solver.put(f"{token}-{number}", hop(number + 1)(text, token))
        return hop(0)(text, token)

    return w.failed("far", first)


@wrong("nobody listens", AUTHORIZATION, "connection", "RFC 8555 §8.3", slow=True)
def nobody(w):
    return w.failed("nobody", None, domain=w.dead)


@several(wrong, AUTHORIZATION, "dns", "RFC 8555 §6.7", [("a name that there is not", "nowhere.hospital.test"), ("a name without address", "hospital.test")], slow=True)
def no_name(w, name):
    return w.failed("name", None, domain=name)


@wrong("a name whose address is a metadata address", AUTHORIZATION, "connection", "RFC 8555 §10.2, §10.4", slow=True)
def metadata_name(w):
    return w.failed("metadata", None, domain="metadata.hospital.test")


# --- dns-01 and tls-alpn-01 -----------------------------------------------------------------------

wrong = section("Machines that answer dns-01 and tls-alpn-01 wrongly (RFC 8555 §8.4, RFC 8737)")


@wrong("no TXT record", AUTHORIZATION, "dns", "RFC 8555 §8.4", slow=True)
def no_record(w):
    return w.failed("norecord", None, "dns-01")


@wrong("a TXT record with other content", AUTHORIZATION, "unauthorized", "RFC 8555 §8.4", slow=True)
def other_record(w):
    w.txt(w.name("record"), "something else")
    return w.failed("record", None, "dns-01")


@wrong("a TXT record with the key authorization itself", AUTHORIZATION, "unauthorized", "RFC 8555 §8.4", slow=True)
def undigested(w):
    def put(text, token):
        w.txt(w.name("undigested"), text)
        return text

    return w.failed("undigested", put, "dns-01")


def tls(w, alpn=("acme-tls/1",), critical=True, digest=None, name=None, more=()):
    """An authorization whose TLS responder, on a machine of its own, is wrong in one way."""
    domain, address, _ = w.machines.pop()
    listener = socket.create_server((address, w.lab.tls_port))

    def put(text, token):
        value = digest or hashlib.sha256(text.encode()).digest()
        names = [x509.DNSName(name or domain), *more]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        context.load_cert_chain(acme_certificate(w.folder / domain, names, value, critical))
        threading.Thread(target=serve, args=(listener, context), daemon=True).start()
        return text

    try:
        return w.failed(None, put, "tls-alpn-01", domain=domain)
    finally:
        listener.close()


def serve(listener, context):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            connection.settimeout(5)
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()


def acme_certificate(path, names, digest, critical):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([])
    identifier = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + digest)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), True).add_extension(identifier, critical)
    pem = serialization.Encoding.PEM
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return path


@several(wrong, AUTHORIZATION, "unauthorized", "RFC 8737 §3", [
    ("another digest in the certificate", {"digest": bytes(32)}), ("the digest in an extension that is not critical", {"critical": False}),
    ("a certificate for another name", {"name": "other.hospital.test"}), ("a certificate for one name more", {"more": [x509.DNSName("other.hospital.test")]})], slow=True)
def wrong_certificate(w, how):
    return tls(w, **how)


@several(wrong, AUTHORIZATION, "unauthorized", "RFC 8737 §3", [("a TLS server that does not know acme-tls/1", ()), ("a TLS server that chooses http/1.1", ("http/1.1",))], slow=True)
def no_alpn(w, protocols):
    return tls(w, alpn=protocols)


@wrong("nobody listens for TLS", AUTHORIZATION, "connection", "RFC 8737 §3", slow=True)
def no_tls(w):
    return w.failed("notls", None, "tls-alpn-01", domain=w.dead)


@wrong("HTTP where TLS is due", AUTHORIZATION, "tls", "RFC 8737 §3", slow=True)
def http_for_tls(w):
    return w.failed("http", None, "tls-alpn-01", domain=w.plain)


# --- certificates and revocation ------------------------------------------------------------------

wrong = section("Certificates and revocation (RFC 8555 §7.4.2, §7.6)")


@wrong("the certificate of somebody else", 403, "unauthorized", "RFC 8555 §7.4.2")
def others_certificate(w):
    session, url, order = w.ready("private")
    key = ec.generate_private_key(ec.SECP256R1())
    session.finalize(url, order, csr([w.name("private")], key))
    return w.one.post(session.must("order", url).json["certificate"])


def revoke(session, certificate, **more):
    der = certificate if isinstance(certificate, bytes) else certificate.public_bytes(serialization.Encoding.DER)
    return session.post(session.directory["revokeCert"], {"certificate": b64(der)} | more)


@wrong("a revocation by an account that did not order it and holds no authorization", 403, "unauthorized", "RFC 8555 §7.6")
def stranger(w):
    return revoke(w.two, w.issued("mine")[1])


@wrong("a revocation by a key that is not the certificate's", 403, "unauthorized", "RFC 8555 §7.6")
def stranger_key(w):
    _, certificate, _ = w.issued("mine")
    session = w.session()
    return revoke(session, certificate)


@wrong("a revocation of what is revoked already", 400, "alreadyRevoked", "RFC 8555 §7.6")
def twice(w):
    session, certificate, _ = w.issued("twice")
    done = revoke(session, certificate)
    assert done.status == 200, done
    return revoke(session, certificate)


@several(wrong, 400, "badRevocationReason", "RFC 8555 §7.6, RFC 5280 §5.3.1", [(f"a revocation for reason {reason}", reason) for reason in (2, 6, 7, 8, 10, 11, -1, 999)])
def reason(w, value):
    session, certificate, _ = w.issued("reason")
    return revoke(session, certificate, reason=value)


@wrong("a revocation for a reason that is text", 400, "malformed", "RFC 8555 §7.6")
def text_reason(w):
    session, certificate, _ = w.issued("reason")
    return revoke(session, certificate, reason="keyCompromise")


@several(wrong, 400, "malformed", "RFC 8555 §7.6", [("a revocation without certificate", {}), ("a revocation of what is no base64url", {"certificate": "!"}),
                                                    ("a revocation of what is no certificate", {"certificate": "AAAA"}), ("a revocation of a number", {"certificate": 7})])
def no_certificate(w, payload):
    return w.one.post(w.one.directory["revokeCert"], payload)


@wrong("a revocation of a certificate of another authority", 404, "malformed", "RFC 8555 §7.6")
def foreign(w):
    path = acme_certificate(w.folder / "foreign", [x509.DNSName("a.test")], bytes(32), True)
    return revoke(w.one, x509.load_pem_x509_certificate(path.read_bytes()))


@wrong("a revocation of a certificate with one bit changed", 404, "malformed", "RFC 8555 §7.6")
def changed(w):
    session, certificate, _ = w.issued("changed")
    der = bytearray(certificate.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return revoke(session, bytes(der))


@wrong("a chain that there is not", 404, "malformed", "RFC 8555 §7.4.2")
def no_chain(w):
    session, url, order = w.ready("chain")
    session.finalize(url, order, csr([w.name("chain")], ec.generate_private_key(ec.SECP256R1())))
    return session.post(session.must("order", url).json["certificate"] + "/99")


# --- renewal information --------------------------------------------------------------------------

wrong = section("Renewal information (RFC 9773)")


def certificate_id(certificate):
    """RFC 9773 §4.1."""
    key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = certificate.serial_number
    return f"{b64(key)}.{b64(serial.to_bytes(serial.bit_length() // 8 + 1, 'big'))}"


@several(wrong, 400, "malformed", "RFC 9773 §4.1", [
    ("an identifier without a full stop", "AAAA"), ("an identifier with two full stops", "AAAA.AAAA.AAAA"), ("an identifier that is not base64url", "!!!!.AAAA"),
    ("an identifier with padding", "AAAA.AA=="), ("an identifier without serial number", "AAAA."), ("an identifier of 10,000 letters", "A" * 5000 + "." + "A" * 5000)])
def bad_identifier(w, value):
    return w.one.wire.request("GET", f"{w.one.directory['renewalInfo']}/{value}")


@wrong("the identifier of a certificate that there is not", 404, "malformed", "RFC 9773 §4.1")
def unknown_identifier(w):
    _, certificate, _ = w.issued("ari")
    return w.one.wire.request("GET", f"{w.one.directory['renewalInfo']}/{certificate_id(certificate).split('.')[0]}.AQIDBA")


@wrong("the identifier of a certificate of another authority", 404, "malformed", "RFC 9773 §4.1")
def foreign_identifier(w):
    return w.one.wire.request("GET", f"{w.one.directory['renewalInfo']}/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")


@wrong("a POST to renewal information", 405, "malformed", "RFC 9773 §4.1")
def posted(w):
    return w.one.post(f"{w.one.directory['renewalInfo']}/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")


def replace(w, session, label, identifier):
    return session.post(session.directory["newOrder"], {"identifiers": [{"type": "dns", "value": w.name(label)}], "replaces": identifier})


@several(wrong, 400, "malformed", "RFC 9773 §5", [("`replaces` that is no identifier", "nonsense"), ("`replaces` that is a number", 7)])
def bad_replaces(w, value):
    return replace(w, w.one, "ari", value)


@wrong("`replaces` of a certificate that there is not", 400, "malformed", "RFC 9773 §5")
def unknown_replaces(w):
    return replace(w, w.one, "ari", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")


@wrong("`replaces` of somebody else's certificate", 403, "unauthorized", "RFC 9773 §5")
def others_replaces(w):
    _, certificate, _ = w.issued("ari")
    return replace(w, w.one, "ari", certificate_id(certificate))


@wrong("`replaces` of a certificate without a name in common", 400, "malformed", "RFC 9773 §5")
def nothing_in_common(w):
    session, certificate, _ = w.issued("ari")
    return replace(w, session, "other", certificate_id(certificate))


@wrong("`replaces` of a certificate that was replaced already", 409, "alreadyReplaced", "RFC 9773 §5, §7.4")
def replaced(w):
    session, certificate, _ = w.issued("ari")
    identifier = certificate_id(certificate)
    session.certificate([w.name("ari")], w.solver, replaces=identifier)
    return replace(w, session, "ari", identifier)
