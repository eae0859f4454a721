#!/usr/bin/env python3
"""The listeners for old devices (R09): what an analyser of fifteen years speaks, as curl, openssl and GnuTLS speak it when they are
told to, enrols and renews there and is refused by the HTTPS listener; what is weaker still is refused by both."""

import sys
import types

from devices import Desk, Device, certificates, est, in_lines

from hospital import Checks, Hospital, free_port, must, run

OLD = ["--tls-max", "1.2", "--ciphers", "AES128-SHA"]
LISTENERS = """
[[listen.legacy]]
address = "127.0.0.1:{tls12}"
endpoints = ["lab"]
segment = "laboratory"
networks = ["127.0.0.0/8"]
tls = true
authority = "devices"
names = ["localhost", "127.0.0.1"]

[[listen.legacy]]
address = "127.0.0.1:{tls10}"
endpoints = ["lab"]
segment = "basement"
tls = true
min_version = "1.0"
ciphers = ["AES128-SHA"]

[[listen.legacy]]
address = "127.0.0.1:{elsewhere}"
endpoints = ["lab"]
segment = "elsewhere"
networks = ["192.0.2.0/24"]
tls = true
"""


class Old(Hospital):
    """With listeners for old devices from its first start on."""

    def start(self):
        self.ports = {name: free_port() for name in ("tls12", "tls10", "elsewhere")}
        with open(self.data / "ward.toml", "a") as configuration:
            configuration.write(LISTENERS.format(**self.ports))
        super().start()

    def at(self, name):
        """The hospital, seen from a segment."""
        return types.SimpleNamespace(folder=self.folder, root=self.root, url=f"https://localhost:{self.ports[name]}")

    def events(self, action):
        return [entry["event"] for entry in self.ward_json("audit", "show", "--action", action, "--limit", "500")]


def enrolment(hospital, checks, desk):
    there = hospital.at("tls12")
    device = Device(hospital, "LAB-0001", "rsa")
    auth = desk.right({"asset": desk.asset(device.serial)})
    body = in_lines(device.request())
    answer = est(there, "cacerts", label="lab", more=OLD)
    checks.equal("EST cacerts over TLS 1.2 with AES128-SHA", answer.status, 200)
    checks.that("  the root is Ward's", hospital.root.read_text() in certificates(answer.body), answer)
    answer = est(hospital, "cacerts", label="lab", more=OLD)
    checks.that("  the HTTPS listener refuses the same client", answer.status == 0 and b"handshake failure" in answer.body, answer)
    checks.equal("  and answers its twin that speaks TLS of today", est(hospital, "cacerts", label="lab").status, 200)
    answer = est(there, "simpleenroll", body, "lab", device.serial + ":wrong", more=OLD)
    checks.equal("a wrong password", answer.status, 401)
    answer = est(there, "simpleenroll", body, "lab", auth, more=OLD)
    if not checks.equal("simpleenroll by password", answer.status, 200):
        raise SystemExit(answer)
    device.keep(answer)
    checks.accepts("  openssl verifies it", ["openssl", "verify", "-CAfile", hospital.root, "-untrusted", device.chain, device.certificate], "OK")
    before = device.number()
    key = device.new_key("next.pem")
    answer = est(there, "simplereenroll", in_lines(device.request(key)), "lab", identity=device.identity(), more=OLD)
    if checks.equal("simplereenroll by its certificate", answer.status, 200):
        device.key = key
        checks.that("  another one", device.keep(answer).number() != before)
    texts = [item["text"] for event in hospital.events("certificate.issue") for item in (event.get("after") or {}).get("evidence", [])
             if item["kind"] == "legacy-listener"]
    checks.equal("  both say in the log how they came in", texts, ["laboratory, TLSv1.2 with AES128-SHA"] * 2)
    stranger = Device(hospital, "LAB-0002", "rsa")
    made = stranger.folder / "self.pem"
    stranger.new_key()
    must(["openssl", "req", "-x509", "-new", "-key", stranger.key, "-subj", "/serialNumber=LAB-0001", "-out", made])
    answer = est(there, "simplereenroll", in_lines(stranger.request(subject="/serialNumber=LAB-0001")), "lab",
                 identity=(made, stranger.key), more=OLD)
    checks.equal("a certificate that it made itself passes the handshake and nothing else", answer.status, 401)
    checks.equal("an endpoint of other devices", est(there, "cacerts", label="modern", more=OLD).status, 404)
    checks.equal("  which is there", est(hospital, "cacerts", label="modern").status, 200)
    status = run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", hospital.root, *OLD,
                  there.url + "/scep/lab?operation=GetCACaps"]).stdout
    checks.equal("SCEP over it", status, "200")
    status = run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", hospital.root, *OLD, there.url + "/api/v1/status"]).stdout
    checks.equal("nothing else", status, "404")


def s_client(hospital, where, *more):
    return run(["openssl", "s_client", "-connect", f"127.0.0.1:{hospital.ports[where]}", "-CAfile", hospital.root, "-verify_return_error",
                "-verify_hostname", "localhost", *more])


def suites(hospital, checks):
    for suite in ("AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA256", "AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA",
                  "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA256"):
        said = s_client(hospital, "tls12", "-tls1_2", "-cipher", suite).stdout
        checks.that(f"openssl with {suite}", f"Cipher is {suite}" in said and "Verification: OK" in said, said)
    for suite in ("NULL-SHA256", "ADH-AES128-SHA", "AECDH-AES256-SHA", "PSK-AES128-CBC-SHA"):
        said = s_client(hospital, "tls12", "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", *(["-psk", "00"] if "PSK" in suite else [])).stdout
        checks.that(f"  not {suite}", "Cipher is (NONE)" in said and "handshake failure" in said, said)
    for flag, version in (("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")):
        cipher = ("-cipher", "AES128-SHA:@SECLEVEL=0")
        said = s_client(hospital, "tls12", flag, *cipher).stdout
        checks.that(f"{version} where nobody allows it", "Cipher is (NONE)" in said and "protocol version" in said, said)
        said = s_client(hospital, "tls10", flag, *cipher).stdout
        checks.that("  and where somebody does", f"Protocol  : {version}\n" in said and "Verification: OK" in said, said)
    # GnuTLS is stricter than openssl about what a certificate says its key is for.
    priority = "NONE:+VERS-TLS1.2:+RSA:+AES-128-CBC:+SHA1:+SIGN-ALL:+COMP-NULL:+CURVE-ALL"
    said = run(["gnutls-cli", "--priority", priority, "--x509cafile", hospital.root, "--port", hospital.ports["tls12"], "localhost"]).stdout
    checks.that("GnuTLS with RSA key exchange and AES-128-CBC-SHA1", "Handshake was completed" in said and "(RSA)-(AES-128-CBC)-(SHA1)" in said, said)
    said = s_client(hospital, "elsewhere", "-tls1_2").stdout
    checks.that("a listener of another network hangs up", "Cipher is (NONE)" in said, said)


def records(hospital, checks):
    opened = {event["object"]["id"]: event["after"] for event in hospital.events("listener.legacy")}
    checks.equal("each listener is in the log", sorted(opened), ["basement", "elsewhere", "laboratory"])
    checks.equal("  with its oldest version", [opened[name]["tls"]["min_version"] for name in ("basement", "laboratory")], ["TLSv1", "TLSv1.2"])
    checks.equal("  and its suites", opened["basement"]["tls"]["suites"], ["AES128-SHA"])
    checks.that("  and what speaks it", opened["basement"]["tls"]["library"].startswith("OpenSSL 3."), opened)


def without_it(hospital, checks):
    """A Ward without such a listener has nothing of OpenSSL in it."""
    with Hospital("modern") as modern:
        for what, where, expected in (("with", hospital, True), ("without", modern, False)):
            maps = open(f"/proc/{where.server.pid}/maps").read()
            checks.equal(f"a Ward {what} such a listener has loaded libssl", "libssl.so" in maps, expected)
    linked = must(["ldd", hospital.binary])
    checks.that("  and none is linked with it", "libssl" not in linked and "libcrypto" not in linked, linked)


def main():
    checks = Checks("TLS for old devices")
    with Old("legacy-tls") as hospital:
        desk = Desk(hospital)
        desk.endpoint("lab", protocols={"est": True, "scep": True})
        desk.endpoint("modern")
        enrolment(hospital, checks, desk)
        suites(hospital, checks)
        records(hospital, checks)
        without_it(hospital, checks)
        checks.that("the log verifies", hospital.ward_json("audit", "verify") is not None)
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
