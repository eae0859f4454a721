"""OCSP responders that Ward is measured beside, all on plain HTTP as OCSP is."""

import base64
import datetime
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from measure import Target
from prepared import get_paths, ocsp_requests, write_bodies


class Authority:
    """A P-256 authority with certificates, for the responders that have none of their own."""

    def __init__(self, world, count):
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Bench CA")])
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        year = datetime.timedelta(days=365)

        def certificate(subject, key, serial):
            builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(key.public_key())
            return builder.serial_number(serial).not_valid_before(now).not_valid_after(now + year).sign(self.key, hashes.SHA256())

        self.certificate = certificate(name, self.key, 1)
        self.certificates = []
        for number in range(count):
            subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"node-{number}")])
            # The positive part only: OpenSSL's index writes the serial as hexadecimal bytes.
            self.certificates.append(certificate(subject, self.key, int.from_bytes(b"\x41" + secrets.token_bytes(15))))
        self.now = now
        self.certificate_file, self.key_file = world.folder / "authority.pem", world.folder / "authority.key"
        self.certificate_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.key_file.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def requests(self):
        return ocsp_requests(self.certificate_file.read_bytes(), [each.serial_number for each in self.certificates])

    def answer(self, certificate):
        builder = ocsp.OCSPResponseBuilder().add_response(
            certificate, self.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, self.now,
            self.now + datetime.timedelta(days=7), None, None)
        response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(self.key, hashes.SHA256())
        return response.public_bytes(serialization.Encoding.DER)


def by_post(name, address, pids, path, bodies, *more):
    header = ["--header", "Content-Type: application/ocsp-request"]
    return Target(name, address, pids, ["--path", path, "--bodies", bodies, *header, *more])


def by_get(name, address, pids, paths, *more):
    return Target(name, address, pids, ["--paths", paths, *more])


def lines(path, texts):
    path.write_text("\n".join(texts) + "\n")
    return path


def cfssl(world, authority):
    """Answers signed beforehand, looked up by serial number."""
    port = world.port()
    answers = lines(world.folder / "cfssl-answers",
                    [base64.b64encode(authority.answer(each)).decode() for each in authority.certificates])
    process = world.start("cfssl-ocsp", ["cfssl", "ocspserve", "-address", "127.0.0.1", "-port", port, "-responses", answers,
                                         "-loglevel", "4"], port)
    requests = authority.requests()
    address, pids = f"http://127.0.0.1:{port}", [process.pid]
    return (by_get("cfssl pre-signed", address, pids, lines(world.folder / "cfssl-paths", get_paths("", requests))),
            by_post("cfssl pre-signed", address, pids, "/", write_bodies(world.folder / "cfssl-bodies", requests)))


def openssl(world, authority):
    """Signs each answer; keeps no connection open, and spins for ever after one that sends nothing."""
    port = world.port()
    expiry = (authority.now + datetime.timedelta(days=365)).strftime("%y%m%d%H%M%SZ")
    index = lines(world.folder / "index.txt",
                  [f"V\t{expiry}\t\t{each.serial_number:032X}\tunknown\t/CN=x" for each in authority.certificates])
    (world.folder / "index.txt.attr").write_text("unique_subject = no\n")
    process = world.start("openssl-ocsp", ["openssl", "ocsp", "-index", index, "-port", port, "-CA", authority.certificate_file,
                                           "-rsigner", authority.certificate_file, "-rkey", authority.key_file, "-nmin", 60,
                                           "-ignore_err"], port, says="ACCEPT")
    bodies = write_bodies(world.folder / "openssl-bodies", authority.requests())
    target = by_post("openssl ocsp, live, 4 conn.", f"http://127.0.0.1:{port}", [process.pid], "/", bodies, "--close")
    target.at_most = 4
    return None, target


def nginx(world, authority):
    """A static file: no look-up, no POST."""
    port = world.port()
    folder = world.folder / "nginx"
    folder.mkdir()
    folder.chmod(0o755)
    world.folder.chmod(0o755)
    (folder / "answer.der").write_bytes(authority.answer(authority.certificates[0]))
    config = folder / "nginx.conf"
    config.write_text(f"""
        daemon off; worker_processes auto; pid {folder}/pid; error_log stderr error;
        events {{ worker_connections 1024; }}
        http {{ access_log off; keepalive_requests 100000000; types {{ application/ocsp-response der; }}
          client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
          uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
          open_file_cache max=10;
          server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
    """)
    process = world.start("nginx", ["nginx", "-p", folder, "-c", config], port)
    paths = lines(world.folder / "nginx-paths", ["/answer.der"])
    return by_get("nginx static file", f"http://127.0.0.1:{port}", [process.pid], paths), None


def bare(world, authority, binaries):
    """hyper answering constant bytes: what a responder in Ward's language cannot exceed."""
    port = world.port()
    process = world.start("bare", [binaries / "bare", port], port)
    requests = authority.requests()
    address, pids = f"http://127.0.0.1:{port}", [process.pid]
    return (by_get("bare hyper", address, pids, lines(world.folder / "bare-paths", get_paths("/ocsp", requests))),
            by_post("bare hyper", address, pids, "/ocsp", write_bodies(world.folder / "bare-bodies", requests)))


def openbao(world, server, requests_for, csrs):
    """Signs each answer from its own storage."""
    serials = [int(server.sign(csr)["serial_number"].replace(":", ""), 16) for csr in csrs]
    requests = requests_for(server.authority, serials)
    return (by_get("OpenBao, live", server.plain_url, [server.process.pid],
                   lines(world.folder / "openbao-paths", get_paths("/v1/pki/ocsp", requests))),
            by_post("OpenBao, live", server.plain_url, [server.process.pid], "/v1/pki/ocsp",
                    write_bodies(world.folder / "openbao-bodies", requests)))


def ward(world, server, csrs):
    """Pre-signed and cached without a nonce, signed live with one."""
    issued = [server.issue(csr) for csr in csrs]
    path = server.ocsp_path(issued[0])
    serials = [each.serial_number for each in issued]
    requests = ocsp_requests(server.issuer_of(issued[0]), serials)
    nonces = ocsp_requests(server.issuer_of(issued[0]), serials, nonce=lambda serial: secrets.token_bytes(32))
    address, pids = f"http://127.0.0.1:{server.http_port}", server.pids
    return (by_get("Ward", address, pids, lines(world.folder / "ward-paths", get_paths(path, requests))),
            by_post("Ward", address, pids, path, write_bodies(world.folder / "ward-bodies", requests)),
            by_post("Ward, live (nonce)", address, pids, path, write_bodies(world.folder / "ward-nonces", nonces)))
