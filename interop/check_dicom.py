#!/usr/bin/env python3
"""DICOM over mutual TLS (PS3.15 B.12, ITI-19) with dcmtk: archives and modalities whose certificates came over EST and over
SCEP under dicom-node talk, in both directions; a modality with a certificate of nobody, and an archive in a modality's name,
do not."""

import pathlib
import socket
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "scep")]

from clients import ScepClient  # noqa: E402

from devices import Desk, Device, est, in_lines  # noqa: E402
from hospital import Checks, Hospital, eventually, free_port, must, run  # noqa: E402


def registered(desk, serial, **right):
    """A device in the register, and a password for it; its host name is localhost, since dcmtk looks at it."""
    asset = desk.asset(serial, "localhost", f"{serial.lower()}.mercy.example")
    return desk.right({"asset": asset}, **right)


def over_est(hospital, checks, desk, serial, kind):
    device = Device(hospital, serial, kind)
    answer = est(hospital, "simpleenroll", in_lines(device.request()), "dicom", registered(desk, serial))
    if checks.equal(f"{serial} gets its certificate over EST ({kind})", answer.status, 200):
        device.keep(answer)
    return device


def over_scep(hospital, checks, desk, serial):
    """By micromdm's scepclient, which makes an RSA key of its own; it sends single DES, hence an endpoint with the legacy policy."""
    device, challenge = Device(hospital, serial), registered(desk, serial, credential="one-time-password").split(":")[1]
    client = ScepClient(device.folder, f"{hospital.url}/scep/dicom-old", serial, {"SSL_CERT_FILE": str(hospital.root)}.items())
    done = client.run(challenge)
    if checks.that(f"{serial} gets its certificate over SCEP (scepclient)", client.certificate.exists(), done.stdout):
        device.key, device.certificate = client.key, client.certificate
        hospital.ward("ca", "export", "devices", "--out", device.folder / "issuer.pem")
    return device


def tls(hospital, device, chain):
    """dcmtk's options: own key and certificate, and everything the other's must lead to."""
    return ["+tls", device.key, chain, "+cf", hospital.root, "+cf", device.folder / "issuer.pem"]


def archive(hospital, device, profile):
    port = free_port()
    log = open(device.folder / f"storescp-{port}.log", "ab")
    received = device.folder / "received"
    received.mkdir(exist_ok=True)
    hospital.spawn(["storescp", "-v", *tls(hospital, device, device.certificate), profile, "-rc", "-od", received, port],
                   stdout=log, stderr=log)
    if not eventually(30, lambda: listens(port)):
        raise SystemExit(f"storescp does not listen on {port}: {pathlib.Path(log.name).read_text()}")
    return port


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def image(folder):
    """A small secondary capture image, made of text."""
    picture, dump = folder / "image.dcm", folder / "image.dump"
    dump.write_text("""(0008,0016) UI =SecondaryCaptureImageStorage
(0008,0018) UI [1.2.826.0.1.3680043.8.498.1]
(0010,0010) PN [Doe^Jane]
(0010,0020) LO [4711]
(0020,000d) UI [1.2.826.0.1.3680043.8.498.2]
(0020,000e) UI [1.2.826.0.1.3680043.8.498.3]
(0008,0060) CS [OT]
""")
    must(["dump2dcm", dump, picture])
    return picture


def talk(hospital, checks, pacs, scanner, stranger, picture):
    """The scanner is answered and stores its image, under each profile; a stranger is not. Gives the archive's last port."""
    who = f"{scanner.serial} at {pacs.serial}"
    for name, profile in (("BCP 195, non-downgrading", "+py"), ("BCP 195", "+px"), ("BCP 195, extended", "+pz")):
        port = archive(hospital, pacs, profile)
        by = lambda device, tool, *more: run([tool, "-v", *tls(hospital, device, device.certificate), profile, "-rc", "127.0.0.1", port, *more])
        done = by(scanner, "echoscu")
        checks.that(f"{who}, {name}: the echo is answered", done.returncode == 0 and "Received Echo Response (Success)" in done.stdout, done.stdout)
        done = by(scanner, "storescu", picture)
        checks.that(f"{who}, {name}: the image is stored", done.returncode == 0 and any((pacs.folder / "received").iterdir()), done.stdout)
        done = by(stranger, "echoscu")
        checks.that(f"{who}, {name}: nobody's certificate is not answered", done.returncode != 0, done.stdout)
    return port


def main():
    checks = Checks("DICOM")
    with Hospital("dicom") as hospital:
        desk = Desk(hospital)
        desk.endpoint("dicom", "dicom-node")
        desk.endpoint("dicom-old", "dicom-node", protocols={"scep": True}, scep={"legacy": True})
        pacs, scanner = over_est(hospital, checks, desk, "PACS-1", "ec"), over_est(hospital, checks, desk, "CT-1", "rsa")
        archive_2, scanner_2 = over_scep(hospital, checks, desk, "PACS-2"), over_scep(hospital, checks, desk, "MR-2")
        stranger = Device(hospital, "EVIL-1")
        must(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", stranger.key, "-subj", "/CN=localhost",
              "-addext", "subjectAltName=DNS:localhost", "-out", stranger.certificate])
        (stranger.folder / "issuer.pem").write_text((scanner.folder / "issuer.pem").read_text())
        picture = image(hospital.folder)
        talk(hospital, checks, pacs, scanner, stranger, picture)
        talk(hospital, checks, archive_2, scanner, stranger, picture)
        port = talk(hospital, checks, pacs, scanner_2, stranger, picture)
        plain = run(["echoscu", "-v", "127.0.0.1", port])
        checks.that("without TLS nothing is answered", plain.returncode != 0, plain.stdout)
        impostor = archive(hospital, stranger, "+px")
        for device in (scanner, scanner_2):
            done = run(["echoscu", "-v", *tls(hospital, device, device.certificate), "+px", "-rc", "127.0.0.1", impostor])
            checks.that(f"{device.serial} does not talk to an archive with nobody's certificate", done.returncode != 0, done.stdout)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
