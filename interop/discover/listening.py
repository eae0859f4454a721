"""`ward discover capture` beside tcpdump: on loopback, and on a cable between two network namespaces (needs to be root)."""

import hashlib
import json
import os
import signal
import sys
import time

import tools
from hospital import eventually, must, run

# More than the kernel keeps for a listener that does not read.
FLOOD = 200 << 20
RECEIVE = "import socket\ns = socket.create_server(('10.95.0.1', 28000))\nc, _ = s.accept()\nwhile c.recv(1 << 20):\n pass"
SEND = f"import socket\nc = socket.create_connection(('10.95.0.1', 28000))\nb = bytes(1 << 20)\nfor _ in range({FLOOD} >> 20):\n c.sendall(b)"


class Listening:
    """A `ward discover capture` that has begun to listen."""

    def __init__(self, spawn, folder, interface, *, name="live", inside=(), options=()):
        self.out, self.said, log = folder / f"{name}.jsonl", folder / f"{name}.json", folder / f"{name}.log"
        command = [*inside, os.environ["WARD_BIN"], "discover", "capture", "--interface", interface, "--for", "1h", "--out", self.out, "--json", *options]
        with open(self.said, "wb") as said, open(log, "wb") as errors:
            self.process = spawn(command, stdout=said, stderr=errors)
        if not eventually(20, lambda: "listening on" in log.read_text()):
            raise SystemExit(f"ward discover capture does not listen:\n{log.read_text()}")

    def peak(self):
        """The most memory that it had, in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def end(self):
        """Its summary; observations are in `out`."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        (summary,) = json.loads(self.said.read_text())["summary"].values()
        return summary


def chains(file):
    """Chains by port and name, as a file of observations has them."""
    seen = {}
    for line in file.read_text().splitlines():
        line = json.loads(line)
        if line["place"]["kind"] == "network" and line["outcome"]["kind"] == "certificate":
            seen.setdefault((line["place"]["port"], line["place"].get("sni")), []).append(tools.ward(line).chain)
    return seen


class Cable:
    """Two namespaces, a cable between them, and nobody who speaks of himself."""

    def __init__(self):
        tag = os.getpid() % 10000
        self.names, self.ends = (f"wardl{tag}", f"wardm{tag}"), (f"wl{tag}", f"wm{tag}")

    def __enter__(self):
        for name in self.names:
            must(["ip", "netns", "add", name])
            must(self.inside(name, ["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"]))
        must(["ip", "link", "add", self.ends[0], "netns", self.names[0], "type", "veth", "peer", "name", self.ends[1], "netns", self.names[1]])
        for number, (name, end) in enumerate(zip(self.names, self.ends), 1):
            must(["ip", "-n", name, "address", "add", f"10.95.0.{number}/24", "dev", end])
            must(["ip", "-n", name, "link", "set", end, "up"])
        return self

    def __exit__(self, *_):
        for name in self.names:
            run(["ip", "netns", "delete", name])

    @staticmethod
    def inside(name, command):
        return ["ip", "netns", "exec", name, *command]

    def ours(self, command=()):
        return self.inside(self.names[0], command)

    def theirs(self, command=()):
        return self.inside(self.names[1], command)


class Span:
    """A switch with a server and a client on it, and a third port to which it mirrors what the first two send: the frames there are
    addressed to others. The switch is a bridge, which as an interface takes only what is addressed to it unless it is promiscuous."""

    def __init__(self):
        tag = os.getpid() % 10000
        self.switch, self.server, self.client, self.listener = self.names = tuple(f"wards{role}{tag}" for role in "wscl")

    def __enter__(self):
        for name in self.names:
            must(["ip", "netns", "add", name])
            must(self.inside(name, ["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"]))
        must(["ip", "-n", self.switch, "link", "add", "br0", "type", "bridge"])
        must(["ip", "-n", self.switch, "link", "set", "br0", "up"])
        for port, name in (("p1", self.server), ("p2", self.client), ("p3", self.listener)):
            must(["ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", port, "netns", self.switch])
            must(["ip", "-n", name, "link", "set", "eth0", "up"])
            must(["ip", "-n", self.switch, "link", "set", port, "up"])
        for number, (port, name) in enumerate((("p1", self.server), ("p2", self.client)), 1):
            must(["ip", "-n", name, "address", "add", f"10.95.0.{number}/24", "dev", "eth0"])
            must(["ip", "-n", self.switch, "link", "set", port, "master", "br0"])
            must(self.inside(self.switch, ["tc", "qdisc", "add", "dev", port, "clsact"]))
            must(self.inside(self.switch, ["tc", "filter", "add", "dev", port, "ingress", "protocol", "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "p3"]))
        return self

    __exit__ = Cable.__exit__
    inside = staticmethod(Cable.inside)

    def promiscuity(self, name, interface):
        (link,) = json.loads(must(["ip", "-n", name, "-d", "-j", "link", "show", interface]))
        return link["promiscuity"]


def watch(spawn, folder, name, inside, interface):
    """tcpdump, writing every packet."""
    file, log = folder / f"{name}.pcap", folder / f"{name}.log"
    with open(log, "wb") as out:
        process = spawn([*inside, "tcpdump", "-i", interface, "-U", "-B", "16384", "-s", "0", "-Z", "root", "-w", file], stdout=out, stderr=out)
    if not eventually(20, lambda: "listening on" in log.read_text()):
        raise SystemExit("tcpdump does not listen")
    return process, file


def end(process):
    # The kernel hands packets over in blocks.
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    process.wait(20)


def refusals(checks):
    ward = [os.environ["WARD_BIN"], "discover", "capture", "--interface"]
    checks.refuses("without CAP_NET_RAW listening is refused, and what is needed is said", ["setpriv", "--bounding-set=-net_raw", *ward, "lo", "--for", "1s"],
                   "capture.capability")
    checks.accepts("with it, and nobody else's, it is not", ["setpriv", "--bounding-set=-all,+net_raw", *ward, "lo", "--for", "1s"], "dropped by the kernel")
    checks.refuses("an interface that is not there is refused, with those that are", [*ward, "nowhere0", "--for", "1s"], "accepted: lo")


def on_a_cable(checks, spawn, folder):
    with Cable() as cable:
        process, file = watch(spawn, folder, "quiet", cable.theirs(), cable.ends[1])
        listening = Listening(spawn, folder, cable.ends[0], name="quiet-live", inside=cable.ours())
        time.sleep(2)
        summary = listening.end()
        end(process)
        # The header of a capture without a packet.
        checks.equal("where nobody speaks, whoever listens sends nothing", (file.stat().st_size, summary["packets"]), (24, 0))
        handshake(checks, spawn, folder, cable)
        too_much(checks, spawn, folder, cable)


def handshake(checks, spawn, folder, cable):
    key, certificate, der = (folder / f"cable.{end}" for end in ("key", "pem", "der"))
    must(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pump.icu.example", "-keyout", key, "-out", certificate, "-days", "30"])
    must(["openssl", "x509", "-in", certificate, "-outform", "DER", "-out", der])
    process, file = watch(spawn, folder, "cable", cable.ours(), cable.ends[0])
    listening = Listening(spawn, folder, cable.ends[0], name="cable-live", inside=cable.ours())
    spawn(cable.ours(["openssl", "s_server", "-accept", "28443", "-cert", certificate, "-key", key, "-quiet"]))
    asked = lambda *version: run(cable.theirs(["openssl", "s_client", "-connect", "10.95.0.1:28443", "-servername", "pump.icu.example", *version])).stdout
    shown = eventually(20, lambda: "BEGIN CERTIFICATE" in asked("-tls1_2"))
    asked("-tls1_3")
    end(process)
    summary = listening.end()
    checks.that("openssl was shown a certificate over the cable", shown)
    theirs, found = der.read_bytes(), chains(listening.out)
    checks.that("tcpdump saw it pass", theirs in file.read_bytes())
    checks.equal("and so did ward discover capture, with the name that was asked for", found, {(28443, "pump.icu.example"): [[theirs]]})
    again = folder / "cable-again.jsonl"
    must([os.environ["WARD_BIN"], "discover", "pcap", file, "--out", again])
    lines = lambda path: sorted(json.dumps({key: value for key, value in json.loads(line).items() if key not in ("at", "from")}, sort_keys=True)
                                for line in path.read_text().splitlines())
    checks.equal("what passed and what tcpdump kept give the same observations, TLS 1.3 among them", lines(listening.out), lines(again))
    checks.that("nothing was dropped, nothing left over", not summary.get("dropped") and summary["connections"] == sum(summary["ended"].values()), summary)


def on_a_span_port(checks, spawn, folder):
    """What others say to each other: at the mirror's port, and on the switch itself with and without promiscuous mode."""
    key, certificate, der = (folder / f"cable.{end}" for end in ("key", "pem", "der"))
    with Span() as span:
        at = {name: Listening(spawn, folder, interface, name=name, inside=span.inside(where, ()), options=options) for name, where, interface, options in (
            ("mirror", span.listener, "eth0", ()), ("promiscuous", span.switch, "br0", ()))}
        checks.equal("an interface that is listened to is promiscuous, counted by the kernel", [span.promiscuity(span.listener, "eth0"), span.promiscuity(span.switch, "br0")], [1, 1])
        spawn(span.inside(span.server, ["openssl", "s_server", "-accept", "28443", "-cert", certificate, "-key", key, "-quiet"]))
        asked = lambda: run(span.inside(span.client, ["openssl", "s_client", "-connect", "10.95.0.1:28443", "-servername", "pump.icu.example", "-tls1_2"])).stdout
        checks.that("two hosts on a switch shake hands", eventually(20, lambda: "BEGIN CERTIFICATE" in asked()))
        time.sleep(1)
        mirrored = at["mirror"].end()
        expected = {(28443, "pump.icu.example"): [[der.read_bytes()]]}
        checks.equal("a span port sees the certificate that others exchange", chains(at["mirror"].out), expected)
        checks.that("nothing was dropped there", mirrored["packets"] and not mirrored.get("dropped"), mirrored)
        # However it ends: the kernel takes back what it counted.
        at["promiscuous"].process.kill()
        at["promiscuous"].process.wait(20)
        checks.equal("and no longer once nobody listens, even if it was killed", [span.promiscuity(span.listener, "eth0"), span.promiscuity(span.switch, "br0")], [0, 0])
        promiscuous = Listening(spawn, folder, "br0", name="again", inside=span.inside(span.switch, ()))
        asked()
        time.sleep(1)
        promiscuous.end()
        checks.equal("a switch's own interface gives others' traffic to who is promiscuous", chains(promiscuous.out), expected)
        reserved = Listening(spawn, folder, "br0", name="reserved", inside=span.inside(span.switch, ()), options=("--no-promiscuous",))
        checks.equal("--no-promiscuous leaves the interface as it is", span.promiscuity(span.switch, "br0"), 0)
        asked()
        time.sleep(1)
        summary = reserved.end()
        checks.equal("and what is addressed to others is then not seen", (chains(reserved.out), summary["connections"]), ({}, 0))


def too_much(checks, spawn, folder, cable):
    """A listener that cannot keep up says how much it missed, and stays small."""
    listening = Listening(spawn, folder, cable.ends[0], name="flood", inside=cable.ours())
    server = spawn(cable.ours([sys.executable, "-c", RECEIVE]))
    listening.process.send_signal(signal.SIGSTOP)
    sent = eventually(20, lambda: run(cable.theirs([sys.executable, "-c", SEND])).returncode == 0)
    server.wait(20)
    listening.process.send_signal(signal.SIGCONT)
    # The counter comes with a packet that passes afterwards.
    time.sleep(1)
    run(cable.theirs([sys.executable, "-c", "import socket; socket.socket().connect_ex(('10.95.0.1', 28001))"]))
    time.sleep(1)
    peak, summary = listening.peak(), listening.end()
    checks.that(f"what a stopped listener missed of {FLOOD >> 20} MiB is counted ({summary.get('dropped')} packets)", sent and summary.get("dropped", 0) > 100, summary)
    checks.that(f"and took {peak:.0f} MiB", peak < 128, peak)


def beside_tcpdump(checks, live, captured, ports):
    """On loopback: what was heard live is what stands in tcpdump's file."""
    of = lambda file: {place: {hashlib.sha256(b"".join(chain)).hexdigest() for chain in found} for place, found in chains(file).items() if place[0] in ports}
    checks.equal(f"heard live on loopback, and in tcpdump's file: the same {len(of(captured))} places and chains", of(live), of(captured))
