"""What other people's programs say about a TLS server, each in one form: certificates as sent, suites by version."""

import base64
import json
import pathlib
import re
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from hospital import ROOT, must, run

VERSIONS = {"SSLv3": "ssl3.0", "TLSv1.0": "tls1.0", "TLSv1": "tls1.0", "TLSv1.1": "tls1.1", "TLSv1.2": "tls1.2", "TLSv1.3": "tls1.3"}
SSLYZE = ROOT / ".tmp/sslyze/bin/sslyze"
PEM = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass
class Seen:
    """What one program saw. None: it does not say."""

    chain: list = None
    # Suites by version, in the order given.
    suites: dict = field(default_factory=dict)
    # By version: whether the server's order decides.
    ordered: dict = field(default_factory=dict)
    asks: bool = None
    said: str = ""


def certificates(text):
    return [base64.b64decode(body) for body in PEM.findall(text)]


def names():
    """Numbers of suites by IANA's names, as far as OpenSSL knows them; the rest of the registry is the scanner's own table."""
    table = (ROOT / "crates/agent/src/tls/suite/table.rs").read_text()
    known = {name: int(code, 16) for code, name in re.findall(r'\((0x[0-9a-f]{4}), "(\w+)"\)', table)}
    return known | known_to_openssl()


def known_to_openssl():
    known = {}
    for line in must(["openssl", "ciphers", "-V", "-stdname", "ALL:eNULL:@SECLEVEL=0"]).splitlines():
        code, name = re.match(r"\s*(\S+) - (\S+)", line).groups()
        high, low = (int(part, 16) for part in code.split(","))
        known[name] = high << 8 | low
    return known


def openssl(place, *options):
    """The chain, by `openssl s_client`; a handshake of TLS 1.2 or older, since that is what a capture shows."""
    protocol = {"xmpp": ("xmpp", "-xmpphost", place.sni)}.get(place.starttls, (place.starttls,))
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{place.port}", "-showcerts", *(place.old or ("-tls1_2",)), *options,
               *(("-servername", place.sni) if place.sni else ("-noservername",)), *(("-starttls", *protocol) if place.starttls else ())]
    for _ in range(5):
        done = run(command, timeout=30, env={"OPENSSL_CONF": "/dev/null", "PATH": "/usr/bin:/bin"})
        if PEM.search(done.stdout):
            break
        # Who has only just begun to listen may hang up on the first, FreeRADIUS does on a busy machine.
        time.sleep(1)
    return Seen(chain=certificates(done.stdout), asks="Client Certificate Types" in done.stdout, said=done.stdout)


def sslscan(place):
    protocol = {"postgres": "psql"}.get(place.starttls, place.starttls)
    how = [] if protocol is None else ["--rdp"] if protocol == "rdp" else [f"--starttls-{protocol}"]
    out = run(["sslscan", "--xml=-", "--no-colour", "--show-certificate", "--show-client-cas", "--no-heartbleed", "--no-fallback", "--no-renegotiation",
               "--no-compression", "--no-groups", "--ipv4", *how, f"--sni-name={place.sni or 'localhost'}", f"127.0.0.1:{place.port}"], timeout=120).stdout
    seen = Seen(said=out)
    try:
        test = ElementTree.fromstring(out[out.index("<?xml"):]).find("ssltest")
        for protocol in test.iter("protocol"):
            if protocol.get("enabled") == "1":
                version = protocol.get("version")
                seen.suites[protocol.get("type") + (version if "." in version else version + ".0")] = []
    except (ValueError, AttributeError, ElementTree.ParseError) as error:
        seen.said += f"\n{error}"
        return seen
    for cipher in test.iter("cipher"):
        seen.suites.setdefault(VERSIONS[cipher.get("sslversion")], []).append(int(cipher.get("id"), 16))
    blobs = [blob.text for blob in test.iter("certificate-blob")]
    seen.chain = certificates("\n".join(blobs))
    return seen


def sslyze(places, slow=False):
    """Of many servers in one run, {name: Seen}; nobody waits for anybody else. One protocol a run."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.json"
        protocol = places[0].starttls
        command = [SSLYZE, "--quiet", "--mozilla_config", "disable", f"--json_out={out}", "--certinfo", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2",
                   "--tlsv1_3"]
        if slow or places[0].single:
            command.append("--slow_connection")
        if protocol:
            command += ["--starttls", protocol]
        if places[0].sni:
            command += ["--sni", places[0].sni]
        if protocol == "xmpp":
            command += ["--xmpp_to", places[0].sni]
        done = run([*command, *(f"127.0.0.1:{place.port}" for place in places)], timeout=150)
        if not out.exists():
            return {place.name: Seen(said=done.stdout) for place in places}
        results = json.loads(out.read_text())["server_scan_results"]
    by_port = {result["server_location"]["port"]: result for result in results}
    return {place.name: of_sslyze(by_port[place.port], done.stdout) for place in places}


def of_sslyze(result, said):
    seen = Seen(said=said)
    scan = result["scan_result"]
    if not scan:
        seen.said += json.dumps(result.get("connectivity_error_trace"))
        return seen
    numbers = names()
    for version in ("ssl3.0", "tls1.0", "tls1.1", "tls1.2", "tls1.3"):
        key = "ssl_3_0_cipher_suites" if version == "ssl3.0" else f"tls_{version[3:].replace('.', '_')}_cipher_suites"
        if scan[key]["status"] != "COMPLETED":
            seen.said += f"\n{version}: {scan[key].get('error_trace')}"
            continue
        accepted = [suite["cipher_suite"]["name"] for suite in scan[key]["result"]["accepted_cipher_suites"]]
        if accepted:
            seen.suites[version] = [numbers.get(name, name) for name in accepted]
    shown = scan["certificate_info"]
    if shown["status"] == "COMPLETED":
        chain = shown["result"]["certificate_deployments"][0]["received_certificate_chain"]
        seen.chain = certificates("\n".join(each["as_pem"] for each in chain))
    return seen


def testssl(place):
    """Versions, suites and whose order decides; its other tests would take most of a minute more."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.json"
        done = run(["testssl", "--quiet", "--warnings", "off", "--color", "0", "--ip", "one", "--jsonfile", out, "-p", "-P", f"127.0.0.1:{place.port}"],
                   timeout=240, env={"PATH": "/usr/bin:/bin:/usr/sbin", "TERM": "dumb", "HOME": folder})
        findings = json.loads(out.read_text()) if out.exists() else []
    seen = Seen(said=done.stdout)
    keys = {"tls1": "tls1.0", "tls1_1": "tls1.1", "tls1_2": "tls1.2", "tls1_3": "tls1.3", "ssl3": "ssl3.0"}
    for finding in findings:
        order, cipher = (re.fullmatch(pattern, finding["id"]) for pattern in (r"cipher_order-(\w+)", r"cipher-(ssl3|tls1(?:_\d)?)_x(\w+)"))
        if order:
            seen.ordered[keys[order[1]]] = finding["finding"] == "server"
        elif cipher:
            seen.suites.setdefault(keys[cipher[1]], []).append(int(cipher[2], 16))
    return seen


def ward(line):
    """Of one observation."""
    tls = line.get("tls") or {}
    versions = tls.get("versions", [])
    return Seen(chain=[base64.b64decode(der) for der in line.get("chain", [])],
                suites={each["version"]: each["suites"] for each in versions},
                ordered={each["version"]: each.get("server_order") for each in versions},
                asks="client_certificate" in tls, said=json.dumps(line.get("outcome")))
