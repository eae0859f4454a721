#!/usr/bin/env python3
"""DICOM over mutual TLS (PS3.15 B.12, ITI-19) with dcmtk: an archive and a modality whose certificates came over EST under
dicom-node talk; a modality with a certificate of nobody, and an archive in a modality's name, do not."""

import socket
import sys

from devices import Desk, Device, est, in_lines
from hospital import Checks, Hospital, eventually, free_port, must, run


def node(hospital, checks, desk, serial, kind):
    """A device in the register, with its certificate; its host name is localhost, since dcmtk looks at it."""
    device = Device(hospital, serial, kind)
    auth = desk.pump(serial, "localhost", f"{serial.lower()}.mercy.example")
    answer = est(hospital, "simpleenroll", in_lines(device.request()), "dicom", auth)
    if checks.equal(f"{serial} gets its certificate over EST ({kind})", answer.status, 200):
        device.keep(answer)
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
    eventually(10, lambda: listens(port))
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


def main():
    checks = Checks("DICOM")
    with Hospital("dicom") as hospital:
        desk = Desk(hospital)
        desk.endpoint("dicom", "dicom-node")
        pacs = node(hospital, checks, desk, "PACS-1", "ec")
        scanner = node(hospital, checks, desk, "CT-1", "rsa")
        stranger = Device(hospital, "EVIL-1")
        must(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", stranger.key, "-subj", "/CN=localhost",
              "-addext", "subjectAltName=DNS:localhost", "-out", stranger.certificate])
        (stranger.folder / "issuer.pem").write_text((scanner.folder / "issuer.pem").read_text())
        picture = image(hospital.folder)
        for name, profile in (("BCP 195, non-downgrading", "+py"), ("BCP 195", "+px"), ("BCP 195, extended", "+pz")):
            port = archive(hospital, pacs, profile)
            by = lambda device, tool, *more: run([tool, "-v", *tls(hospital, device, device.certificate), profile, "-rc", "127.0.0.1", port, *more])
            done = by(scanner, "echoscu")
            checks.that(f"{name}: the scanner's echo is answered", done.returncode == 0 and "Received Echo Response (Success)" in done.stdout, done.stdout)
            done = by(scanner, "storescu", picture)
            checks.that(f"{name}: its image is stored", done.returncode == 0 and any((pacs.folder / "received").iterdir()), done.stdout)
            done = by(stranger, "echoscu")
            checks.that(f"{name}: nobody's certificate is not", done.returncode != 0, done.stdout)
        plain = run(["echoscu", "-v", "127.0.0.1", port])
        checks.that("without TLS nothing is answered", plain.returncode != 0, plain.stdout)
        impostor = archive(hospital, stranger, "+px")
        done = run(["echoscu", "-v", *tls(hospital, scanner, scanner.certificate), "+px", "-rc", "127.0.0.1", impostor])
        checks.that("the scanner does not talk to an archive with nobody's certificate", done.returncode != 0, done.stdout)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
