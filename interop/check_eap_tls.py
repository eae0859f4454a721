#!/usr/bin/env python3
"""802.1X with EAP-TLS (RFC 5216): a device with a certificate from Ward, behind FreeRADIUS with one from Ward, which asks
Ward's OCSP; and that a device which the register retires is out within a minute. docs/network-access.md is the recipe."""

import re
import sys
import time

from devices import Desk, Device, est
from hospital import ROOT, Checks, Hospital, eventually, must
from radius import Radius

NAME = "radius.mercy.example"
PAGE = ROOT / "docs/network-access.md"
# The promise: retired, then no more on the network.
MINUTE = 60


def eap(hospital, folder):
    """The module as the page shows it, with this test's paths."""
    shown = re.search(r"^```\n(eap \{.*?^\})\n```$", PAGE.read_text(), re.M | re.S).group(1)
    return shown.replace("/etc/freeradius/3.0/certs/ward", str(folder))


def radius_certificate(hospital, folder):
    """Key, certificate and trust anchors where FreeRADIUS reads them."""
    must(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "radius.key",
          "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-out", folder / "radius.csr"])
    hospital.ward("cert", "issue", "--profile", "radius-server", "--csr", folder / "radius.csr", "--out", folder / "radius.pem")
    devices = folder / "devices.pem"
    hospital.ward("ca", "export", "devices", "--out", devices)
    (folder / "anchors.pem").write_text(hospital.root.read_text() + devices.read_text())
    # FreeRADIUS may drop its privileges and wants to read them still.
    for path in folder.iterdir():
        path.chmod(0o644)


def main():
    checks = Checks("EAP-TLS")
    with Hospital("eap") as hospital:
        desk = Desk(hospital)
        folder = hospital.folder / "certs"
        folder.mkdir()
        radius_certificate(hospital, folder)
        desk.endpoint("network", "eap-tls-client")
        pump, monitor = Device(hospital, "INF-7001"), Device(hospital, "MON-7002", "rsa")
        for device in (pump, monitor):
            device.asset = desk.asset(device.serial, f"{device.serial.lower()}.mercy.example")
            auth = desk.right({"asset": device.asset})
            answer = est(hospital, "simpleenroll", device.request(), "network", auth)
            if checks.equal(f"{device.serial} gets its certificate over EST", answer.status, 200):
                device.keep(answer)
        stranger = Device(hospital, "EVIL-1")
        stranger.new_key()
        must(["openssl", "req", "-x509", "-new", "-key", stranger.key, "-subj", "/CN=inf-7001.mercy.example", "-out", stranger.certificate])
        stranger.chain.write_text(stranger.certificate.read_text())

        server = Radius(hospital, eap(hospital, folder))
        admitted = lambda device: server.admits(hospital.root, device.chain, device.key, NAME)
        for device in (pump, monitor):
            done = admitted(device)
            checks.that(f"{device.serial} is let in", done.returncode == 0 and "SUCCESS" in done.stdout.splitlines()[-1],
                        done.stdout[-1500:] + server.said()[-3000:])
        checks.that("FreeRADIUS asked Ward's OCSP", "OCSP" in server.said() and "Cert status: good" in server.said(), server.said()[-3000:])
        done = admitted(stranger)
        checks.that("a certificate of nobody is not", done.returncode != 0 and "FAILURE" in done.stdout, done.stdout[-1500:])

        began = time.monotonic()
        desk.retire(pump.asset)
        out = eventually(MINUTE, lambda: admitted(pump).returncode != 0)
        took = time.monotonic() - began
        checks.that(f"after its retirement {pump.serial} is out within a minute ({took:.1f} s)", out and took < MINUTE, server.said()[-3000:])
        checks.that("because FreeRADIUS saw it revoked", "revoked" in server.said(), server.said()[-3000:])
        done = admitted(monitor)
        checks.that(f"{monitor.serial} stays in", done.returncode == 0, done.stdout[-1500:])
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
