#!/usr/bin/env python3
"""Makes the captures of this folder again: real servers and clients on loopback, listened to with tcpdump and dumpcap.

    sudo crates/agent/tests/captures/make.py      # needs openssl, tcpdump, tshark (with dumpcap), dcmtk, postgresql

Beside each capture stands what is in it, `NAME.json`, by other programs than Ward: fingerprints from OpenSSL for what
the server and the client were given, names, versions and suites from tshark. Keys are made anew and thrown away.
"""

import contextlib, json, os, re, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = Path(tempfile.mkdtemp(prefix="ward-captures-"))
OLD = "ALL:@SECLEVEL=0"


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, **more)


def port():
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            if s.getsockname()[1] > 20000:
                return s.getsockname()[1]


def certificate(name, subject, issuer=None, key="ec", ca=False, names="", digest="-sha256"):
    file = lambda kind: WORK / f"{name}.{kind}"
    alg = ["-newkey", "rsa:2048"] if key == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    (WORK / f"{name}.ext").write_text(
        f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n" + (f"subjectAltName={names}\n" if names else ""))
    run("openssl", "req", "-new", "-nodes", *alg, "-keyout", file("key"), "-subj", subject, "-out", file("csr"))
    sign = ["-CA", WORK / f"{issuer}.pem", "-CAkey", WORK / f"{issuer}.key"] if issuer else ["-signkey", file("key")]
    run("openssl", "x509", "-req", digest, "-in", file("csr"), *sign, "-CAcreateserial", "-days", "3650",
        "-extfile", WORK / f"{name}.ext", "-out", file("pem"))
    return fingerprint(file("pem"))


def fingerprint(pem):
    out = run("openssl", "x509", "-in", pem, "-noout", "-fingerprint", "-sha256").stdout.decode()
    return out.strip().split("=")[1].replace(":", "").lower()


@contextlib.contextmanager
def process(*command, **more):
    child = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, **more)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def wait_for(at, host="127.0.0.1"):
    """By the table of listening sockets: a connection would be in the capture."""
    needle = f":{at:04X} "
    for _ in range(100):
        tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        if any(needle in line and " 0A " in line for line in tables.splitlines()):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on {at}")


@contextlib.contextmanager
def captured(name, ports, tool="tcpdump", interface="lo", link=None):
    file = HERE / name
    file.unlink(missing_ok=True)
    ports = " or ".join(f"tcp port {p}" for p in ports)
    if tool == "tcpdump":
        command = ["tcpdump", "-Z", "root", "-U", "-i", interface, *(["-y", link] if link else []), "-w", file, ports]
    else:
        command = ["dumpcap", "-q", "-i", interface, "-w", file, "-f", ports]
    child = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE)
    for line in child.stderr:
        if b"listening on" in line or b"File:" in line:
            break
    time.sleep(0.3 if tool == "tcpdump" else 3)
    try:
        yield file
        time.sleep(0.7 if tool == "tcpdump" else 3)
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
    os.chmod(file, 0o644)


def client(at, *options, host="127.0.0.1"):
    subprocess.run(["openssl", "s_client", "-connect", f"{f'[{host}]' if ':' in host else host}:{at}", *map(str, options)], input=b"Q\n",
                   capture_output=True, timeout=8)


def seen_by_tshark(file, ports):
    """Rows of what tshark reads in ServerHellos and ClientHellos."""
    decode = [x for p in ports for x in ("-d", f"tcp.port=={p},tls")]
    def fields(display, *names):
        # Without decoding as TLS from the first byte where a protocol changes to TLS later.
        for with_decode in (decode, []):
            out = run("tshark", "-r", file, *with_decode, "-Y", display, "-T", "fields",
                      *[x for n in names for x in ("-e", n)]).stdout.decode().splitlines()
            if out:
                return [line.split("\t") for line in out]
        return []
    retry = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
    hellos = fields("tls.handshake.type==2", "tls.handshake.random", "tls.handshake.version",
                    "tls.handshake.extensions.supported_version", "tls.handshake.ciphersuite")
    names = fields("tls.handshake.type==1", "tls.handshake.extensions_server_name")
    return {"negotiated": sorted({(v13 or v, int(suite, 16)) for random, v, v13, suite in hellos
                                  if random.replace(":", "") != retry}),
            "names": sorted({n[0] for n in names if n and n[0]})}


def write(file, ports, **expected):
    """`expected` adds what the servers and clients were given."""
    (HERE / (file.stem + ".json")).write_text(json.dumps({**seen_by_tshark(file, ports), **expected}, indent=1) + "\n")
    print(file.name, file.stat().st_size)


def handshake(name, server, clients, expected, host="127.0.0.1", **capture):
    at = port()
    with process("openssl", "s_server", "-accept", f"{'[::1]' if ':' in host else host}:{at}", "-quiet", *server):
        wait_for(at)
        with captured(name, [at], **capture) as file:
            for options in clients:
                client(at, *options, host=host)
    write(file, [at], **expected)


def starttls_server(at, chain, key):
    """Says just enough of six protocols for `openssl s_client -starttls`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    talk = {
        "smtp": (b"220 mail.hospital.test ESMTP\r\n", [(b"EHLO", b"250-mail.hospital.test\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go ahead\r\n")]),
        "imap": (b"* OK IMAP4rev1 ready\r\n", [(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n"), (b"STARTTLS", b". OK begin\r\n")]),
        "pop3": (b"+OK POP3 ready\r\n", [(b"STLS", b"+OK begin\r\n")]),
        "ftp": (b"220 FTP ready\r\n", [(b"AUTH TLS", b"234 go ahead\r\n")]),
        "xmpp": (b"", [(b"<stream:stream", b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' version='1.0' from='mail.hospital.test' id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"), (b"<starttls", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")]),
        # ExtendedResponse, success (RFC 4511 §4.12)
        "ldap": (b"", [(b"1.3.6.1.4.1.1466.20037", bytes.fromhex("300c02010178070a010004000400"))]),
    }
    listeners = {}
    for protocol, (greeting, steps) in talk.items():
        listener = socket.create_server(("127.0.0.1", at[protocol]))
        def serve(listener=listener, greeting=greeting, steps=steps):
            peer, _ = listener.accept()
            peer.sendall(greeting)
            for wanted, answer in steps:
                heard = b""
                while wanted not in heard:
                    heard += peer.recv(4096)
                peer.sendall(answer)
            with contextlib.suppress(OSError), context.wrap_socket(peer, server_side=True) as tls:
                tls.recv(10)
        threading.Thread(target=serve, daemon=True).start()
        listeners[protocol] = listener
    return listeners


def main():
    root = certificate("root", "/CN=Capture Root/O=Hospital", ca=True)
    issuing = certificate("issuing", "/CN=Capture Issuing/O=Hospital", "root", ca=True)
    pacs = certificate("pacs", "/CN=pacs.hospital.test", "issuing", names="DNS:pacs.hospital.test")
    old = certificate("old", "/CN=oldpump.hospital.test", "root", key="rsa", names="DNS:oldpump.hospital.test", digest="-sha1")
    pump = certificate("pump", "/CN=pump 0815/serialNumber=0815", "issuing")
    mail = certificate("mail", "/CN=mail.hospital.test", "issuing", key="rsa", names="DNS:mail.hospital.test")
    pem = lambda name: WORK / f"{name}.pem"
    key = lambda name: WORK / f"{name}.key"
    given = lambda name: ["-cert", pem(name), "-key", key(name)]
    with_chain = ["-cert_chain", pem("issuing")]
    name = ["-servername", "PACS.hospital.test"]
    handshake("tls10-rsa.pcap", [*given("old"), "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"],
              [["-tls1", "-cipher", OLD, "-servername", "oldpump.hospital.test"]], {"server": [old]})
    handshake("tls11-dhe.pcap", [*given("old"), "-tls1_1", "-cipher", "DHE-RSA-AES256-SHA:@SECLEVEL=0"],
              [["-tls1_1", "-cipher", OLD]], {"server": [old]}, interface="any")
    index = WORK / "index.txt"
    serial = run("openssl", "x509", "-in", pem("pacs"), "-noout", "-serial").stdout.decode().strip().split("=")[1]
    index.write_text(f"V\t360101000000Z\t\t{serial}\tunknown\t/CN=pacs.hospital.test\n")
    run("openssl", "ocsp", "-index", index, "-CA", pem("issuing"), "-issuer", pem("issuing"), "-rsigner", pem("issuing"),
        "-rkey", key("issuing"), "-cert", pem("pacs"), "-respout", WORK / "staple.der", "-ndays", "3650")
    staple = subprocess.run(["sha256sum", WORK / "staple.der"], capture_output=True, text=True).stdout.split()[0]
    handshake("tls12-chain.pcap", [*given("pacs"), *with_chain, "-tls1_2", "-alpn", "http/1.1", "-status_file", WORK / "staple.der"],
              [[*name, "-tls1_2", "-status", "-alpn", "http/1.1"], [*name, "-tls1_2", "-status"]],
              {"server": [pacs, issuing], "staple": staple}, interface="any", link="LINUX_SLL")
    handshake("tls12-mutual.pcapng", [*given("pacs"), *with_chain, "-tls1_2", "-Verify", "3", "-CAfile", pem("root")],
              [[*name, *given("pump"), "-cert_chain", pem("issuing")]],
              {"server": [pacs, issuing], "client": [pump, issuing], "authorities": [root]}, host="::1", tool="dumpcap")
    session = WORK / "session"
    handshake("tls12-resumed.pcap", [*given("pacs"), "-tls1_2"],
              [["-sess_out", session], ["-sess_in", session]], {"server": [pacs]})
    handshake("tls12-anonymous.pcap", ["-nocert", "-tls1_2", "-cipher", "ADH-AES128-SHA:@SECLEVEL=0"],
              [["-tls1_2", "-cipher", "ADH:@SECLEVEL=0"]], {"server": []})
    handshake("tls13-retry.pcap", [*given("pacs"), "-tls1_3", "-groups", "P-384"],
              [[*name, "-groups", "X25519:P-384"]], {"server": []})
    handshake("refused.pcap", [*given("pacs"), "-tls1_3"], [["-tls1_2"]], {"server": []})

    protocols = ["smtp", "imap", "pop3", "ftp", "xmpp", "ldap"]
    at = {protocol: port() for protocol in protocols}
    both = WORK / "mail-chain.pem"
    both.write_bytes(pem("mail").read_bytes() + pem("issuing").read_bytes())
    listeners = starttls_server(at, both, key("mail"))
    with captured("starttls.pcap", at.values()) as file:
        for protocol in protocols:
            client(at[protocol], "-starttls", protocol, *(["-xmpphost", "mail.hospital.test"] if protocol == "xmpp" else []))
    write(file, at.values(), server=[mail, issuing], protocols={str(at[p]): p for p in protocols})
    for listener in listeners.values():
        listener.close()

    at = port()
    data = WORK / "pg"
    os.chmod(WORK, 0o755)
    data.mkdir()
    shutil.chown(data, "postgres")
    bin = next(Path("/usr/lib/postgresql").iterdir()) / "bin"
    run("runuser", "-u", "postgres", "--", bin / "initdb", "-D", data, "-A", "trust")
    for source, target in (("mail-chain.pem", "server.crt"), ("mail.key", "server.key")):
        shutil.copy(WORK / source, data / target)
        shutil.chown(data / target, "postgres")
        os.chmod(data / target, 0o600)
    with process("runuser", "-u", "postgres", "--", bin / "postgres", "-D", data, "-p", at, "-k", data, "-c", "ssl=on",
                 "-c", "ssl_max_protocol_version=TLSv1.2", "-c", "listen_addresses=127.0.0.1"):
        wait_for(at)
        with captured("postgres.pcap", [at]) as file:
            run("psql", f"host=127.0.0.1 port={at} user=postgres dbname=postgres sslmode=require", "-c", "select 1")
    write(file, [at], server=[mail, issuing], protocols={str(at): "postgres"})

    at = port()
    tls = lambda name: ["+tls", key(name), pem(name), "+cf", pem("root"), "+cf", pem("issuing")]
    # The toolkit has no switch for it, OpenSSL below it has.
    (WORK / "openssl.cnf").write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n")
    with process("storescp", *tls("mail"), at, cwd=WORK, env={**os.environ, "OPENSSL_CONF": str(WORK / "openssl.cnf")}):
        wait_for(at)
        with captured("dicom.pcap", [at]) as file:
            subprocess.run(["echoscu", *map(str, tls("pump")), "127.0.0.1", str(at)], capture_output=True)
    # OpenSSL completes the chains from what dcmtk was told to trust.
    write(file, [at], server=[mail, issuing, root], client=[pump, issuing, root], authorities=[])

    at = port()
    hl7 = socket.create_server(("127.0.0.1", at))
    with captured("hl7-plain.pcap", [at]) as file:
        sender = socket.create_connection(("127.0.0.1", at))
        receiver, _ = hl7.accept()
        sender.sendall(b"\x0bMSH|^~\\&|PUMP|ICU|EHR|H|20261122||ORU^R01|1|P|2.5\r\x1c\r")
        receiver.recv(4096)
        receiver.sendall(b"\x0bMSH|^~\\&|EHR|H|PUMP|ICU|20261122||ACK|1|P|2.5\rMSA|AA|1\r\x1c\r")
        sender.recv(4096)
        sender.close()
        receiver.close()
    write(file, [at], server=[])
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
