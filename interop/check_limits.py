#!/usr/bin/env python3
"""What a scan sends, counted by tcpdump where it arrives: never more than the segment's signed limits, not one packet to
what is excluded or prints raw, one connection a device at a time, also when the scanner is killed and goes on (R17).

Two network namespaces, a cable between them: Ward in one, a hospital of small TLS servers in the other. Needs root."""

import collections
import json
import os
import signal
import subprocess
import sys
import time

from hospital import Checks, Hospital, must, run

TARGETS = "10.97.0.0/24"
RATE = 25
LIVE = [2, 3, 5, 9, 17, 33, 65, 129, 200, 250]
EXCLUDED = "10.97.0.16/28"
PORTS = ["443", "8443"]
SYN, ACK, FIN, RST = 2, 16, 1, 4


def inside(namespace, command):
    return ["ip", "netns", "exec", namespace, *[str(part) for part in command]]


class Cable:
    """Ward's side and the hospital's side."""

    def __init__(self):
        tag = os.getpid() % 10000
        self.ward, self.hospital = f"wardw{tag}", f"wardh{tag}"
        self.ends = (f"vw{tag}", f"vh{tag}")

    def __enter__(self):
        for name in (self.ward, self.hospital):
            must(["ip", "netns", "add", name])
        must(["ip", "link", "add", self.ends[0], "netns", self.ward, "type", "veth", "peer", "name", self.ends[1],
              "netns", self.hospital])
        for name, end, address in ((self.ward, self.ends[0], "10.96.255.1/15"), (self.hospital, self.ends[1], "10.97.0.1/15")):
            must(inside(name, ["ip", "address", "add", address, "dev", end]))
            must(inside(name, ["ip", "link", "set", end, "up"]))
            must(inside(name, ["ip", "link", "set", "lo", "up"]))
        # Every address of the hospital answers, if only that nothing listens there: what is counted is what Ward sends.
        must(inside(self.hospital, ["ip", "route", "add", "local", TARGETS, "dev", "lo"]))
        must(inside(self.ward, ["ip", "route", "add", TARGETS, "via", "10.97.0.1"]))
        return self

    def __exit__(self, *_):
        for name in (self.ward, self.hospital):
            run(["ip", "netns", "delete", name])


class Servers:
    """`openssl s_server` for what is live: one process a port serves every address."""

    def __init__(self, cable, folder):
        self.processes = []
        must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=pump",
              "-keyout", folder / "pump.key", "-out", folder / "pump.pem", "-days", "30"])
        for address in LIVE:
            for port in (*PORTS, "9100"):
                command = ["openssl", "s_server", "-accept", f"10.97.0.{address}:{port}", "-cert", folder / "pump.pem",
                           "-key", folder / "pump.key", "-quiet", "-naccept", "1000000"]
                self.processes.append(subprocess.Popen(inside(cable.hospital, command), stdin=subprocess.PIPE,
                                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Watch:
    """tcpdump on the hospital's end of the cable."""

    def __init__(self, cable, file):
        self.file = file
        self.process = subprocess.Popen(
            inside(cable.hospital, ["tcpdump", "-i", cable.ends[1], "-n", "-U", "-B", "65536", "-w", file,
                                    "net 10.97.0.0/24 and (tcp or udp or icmp)"]),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.process.stderr.readline()):
            if not line:
                raise SystemExit("tcpdump does not start")

    def end(self):
        # tcpdump is handed packets up to a second after they came: what is still in the kernel at its end is not in the file.
        time.sleep(2.5)
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=20)[1]
        assert "0 packets dropped by kernel" in said, said
        return packets(self.file.read_bytes())


def packets(capture):
    """(time, source, destination, ports, flags) of every IPv4 TCP packet; anything else with flags None."""
    found = []
    at = 24
    while at + 16 <= len(capture):
        seconds, micro, length = (int.from_bytes(capture[at + i:at + i + 4], "little") for i in (0, 4, 8))
        frame = capture[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00":
            continue
        ip = frame[14:]
        source, target = (".".join(str(b) for b in ip[i:i + 4]) for i in (12, 16))
        tcp = ip[(ip[0] & 15) * 4:]
        is_tcp = ip[9] == 6
        ports = (int.from_bytes(tcp[0:2], "big"), int.from_bytes(tcp[2:4], "big")) if is_tcp else (0, 0)
        found.append((seconds + micro / 1e6, source, target, ports, tcp[13] if is_tcp else None))
    return found


def connections(seen):
    """Times of the first SYN of every connection to the hospital, with its target."""
    begun = {}
    for at, source, target, ports, flags in seen:
        if source == "10.96.255.1" and flags is not None and flags & SYN and not flags & ACK:
            begun.setdefault((source, ports[0], target, ports[1]), at)
    return sorted((at, target, port) for (_, _, target, port), at in begun.items())


def most_in_a_second(times):
    """Over every window of one second."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_at_once(seen):
    """Connections to one device that are open at the same time: from SYN until our FIN, or a reset from either side."""
    is_open, most = collections.defaultdict(set), collections.Counter()
    for _, source, target, ports, flags in seen:
        if flags is None:
            continue
        ours = source == "10.96.255.1"
        device, key = (target, ports) if ours else (source, ports[::-1])
        if ours and flags & SYN and not flags & ACK:
            is_open[device].add(key)
            most[device] = max(most[device], len(is_open[device]))
        elif flags & RST or (ours and flags & FIN):
            is_open[device].discard(key)
    return max(most.values(), default=0)


def judge(checks, title, seen):
    sent = [one for one in seen if one[1] == "10.96.255.1"]
    begun = connections(seen)
    times = [at for at, _, _ in begun]
    took = times[-1] - times[0] if times else 0
    checks.that(f"{title}: {len(begun)} connections arrived in {took:.1f} s", begun)
    most = most_in_a_second(times)
    checks.that(f"{title}: never more than {RATE} begin within a second (most: {most})", most <= RATE, most)
    checks.that(f"{title}: the hospital is asked at half that rate at least", len(begun) >= 0.5 * RATE * took, (len(begun), took))
    out = [one for one in sent if 16 <= int(one[2].split(".")[3]) < 32]
    checks.equal(f"{title}: not one packet to {EXCLUDED}", out, [])
    raw = [one for one in sent if 9100 <= one[3][1] <= 9107]
    checks.equal(f"{title}: not one packet to ports 9100-9107", raw, [])
    other = [one for one in sent if str(one[3][1]) not in PORTS]
    checks.equal(f"{title}: nothing to any other port, nothing but TCP", other, [])
    checks.equal(f"{title}: one connection a device at a time", most_at_once(seen), 1)
    return begun


def ward(hospital, cable, *arguments):
    return inside(cable.ward, [os.environ["WARD_BIN"], "--data", hospital.data, *arguments])


def prepare(hospital, checks):
    """Limits, first without and then with a second person's signature; what is more than they allow."""
    local = [os.environ["WARD_BIN"], "--data", hospital.data]
    must([*local, "segment", "set", "icu", "--range", TARGETS, "--port", ",".join(PORTS), "--rate", RATE, "--hours", "always",
          "--pause-ms", 0, "--silent", 20, "--exclude", f"{EXCLUDED}=biomed: ventilators"])
    checks.refuses("limits that nobody signed start no scan", [*local, "discover", "scan", "icu"], "segment.unsigned")
    checks.refuses("who wrote them cannot sign them", [*local, "segment", "sign", "icu", "--yes"], "segment.second-person")
    hospital.sign("icu")
    checks.refuses("a port that is not the segment's is refused", [*local, "discover", "scan", "icu", "--port", "22"], "segment.ports")
    checks.refuses("a higher rate is refused", [*local, "discover", "scan", "icu", "--rate", RATE + 1], "segment.rate")
    checks.refuses("another range is refused", [*local, "discover", "scan", "icu", "--range", "10.98.0.0/24"], "segment.ranges")
    checks.refuses("raw printing is refused in the limits", [*local, "segment", "set", "icu", "--port", "443,9100"], "segment.raw-print")
    # Three seconds for names, whoever answers; the rest is what a busy machine takes.
    planned = must([*local, "discover", "scan", "icu", "--dry-run", "--json"], timeout=30)
    planned = json.loads(planned)
    checks.equal("a dry run counts the targets", (planned["total"], planned["excluded"]), (512, 32))


def whole(hospital, cable, checks):
    watch = Watch(cable, hospital.folder / "whole.pcap")
    out = hospital.folder / "whole.jsonl"
    done = run(ward(hospital, cable, "discover", "scan", "icu", "--out", out, "--json"), timeout=300)
    seen = watch.end()
    scan = json.loads(done.stdout.splitlines()[-1])["summary"] if done.returncode == 0 else {}
    checks.equal("the scan is done", (scan.get("state"), scan.get("done"), scan.get("probed"), scan.get("excluded")),
                 ("done", 512, 480, 32))
    begun = judge(checks, "whole", seen)
    wanted = {(f"10.97.0.{last}", int(port)) for last in range(256) if not 16 <= last < 32 for port in PORTS}
    checks.equal("every other target was asked", {(target, port) for _, target, port in begun} ^ wanted, set())
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    places = collections.Counter((line["place"]["address"], line["place"]["port"]) for line in lines)
    checks.equal("every target has one outcome", (len(places), set(places.values())), (512, {1}))
    shown = {line["place"]["address"] for line in lines if line["outcome"]["kind"] == "certificate"}
    checks.equal("every server was found", shown, {f"10.97.0.{last}" for last in LIVE if not 16 <= last < 32})


def killed(hospital, cable, checks):
    """Ended with SIGKILL twice; what went on afterwards is one scan, within the same limits."""
    watch = Watch(cable, hospital.folder / "killed.pcap")
    command = ward(hospital, cable, "discover", "scan", "icu", "--json")
    for round in range(2):
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(7 if round == 0 else 22)
        process.send_signal(signal.SIGKILL)
        process.wait()
        scan = newest(hospital)
        checks.that(f"killed at {scan['done']} of {scan['total']}", 0 < scan["done"] < scan["total"] and scan["state"] == "running", scan)
        command = ward(hospital, cable, "discover", "resume", scan["id"], "--json")
    done = run(command, timeout=300)
    seen = watch.end()
    scan = newest(hospital)
    checks.equal("resumed, it is done and counted nothing twice",
                 (done.returncode, scan["state"], scan["done"], scan["probed"], scan["excluded"]), (0, "done", 512, 480, 32))
    begun = connections(seen)
    most = most_in_a_second([at for at, _, _ in begun])
    checks.that(f"killed: never more than {RATE} begin within a second (most: {most})", most <= RATE)
    checks.that("killed: nothing excluded", not [one for one in begun if 16 <= int(one[1].split(".")[3]) < 32])
    wanted = {(f"10.97.0.{last}", int(port)) for last in range(256) if not 16 <= last < 32 for port in PORTS}
    checks.equal("killed: no target is lost", wanted - {(target, port) for _, target, port in begun}, set())


def newest(hospital):
    return json.loads(must([os.environ["WARD_BIN"], "--data", hospital.data, "discover", "scans", "--json"]))["scans"][0]


def changed(hospital, cable, checks):
    """Limits that change under a scan end it within two seconds."""
    local = [os.environ["WARD_BIN"], "--data", hospital.data]
    watch = Watch(cable, hospital.folder / "changed.pcap")
    process = subprocess.Popen([str(part) for part in ward(hospital, cable, "discover", "scan", "icu")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(4)
    must([*local, "segment", "set", "icu", "--rate", RATE - 1])
    at = time.time()
    process.wait(timeout=30)
    begun = connections(watch.end())
    last = begun[-1][0] - at
    checks.that(f"a change of limits ends what is under way ({last:.1f} s later)", last < 2.5, last)
    checks.that("and says why", "segment.unsigned" in newest(hospital)["note"], newest(hospital))
    hospital.sign("icu")


def offline(hospital, cable, checks):
    """Signed limits without the database; a forged file is refused."""
    local = [os.environ["WARD_BIN"], "--data", hospital.data]
    must([*local, "segment", "set", "icu", "--rate", RATE])
    hospital.sign("icu")
    limits, key, out = (hospital.folder / name for name in ("icu.limits", "ward.vkey", "icu.jsonl"))
    must([*local, "segment", "export-limits", "icu", "--out", limits, "--key-out", key])
    forged = hospital.folder / "forged.limits"
    forged.write_text(limits.read_text().replace(f'"rate":{RATE}.0', '"rate":9999.0'))
    assert forged.read_text() != limits.read_text()
    command = [os.environ["WARD_BIN"], "discover", "offline"]
    checks.refuses("limits that were changed on the way are refused", [*command, forged, "--key", key, "--out", hospital.folder / "f.jsonl"],
                   "not limits that this key signed")
    watch = Watch(cable, hospital.folder / "offline.pcap")
    command = inside(cable.ward, [*command, limits, "--key", key, "--out", out, "--json"])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = run(command, timeout=300)
    begun = judge(checks, "offline", watch.end())
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    places = collections.Counter((line["place"]["address"], line["place"]["port"]) for line in lines)
    checks.equal("offline: every target has one outcome in the file", (done.returncode, len(places), set(places.values())), (0, 512, {1}))
    return begun


def main():
    checks = Checks("limits")
    if os.geteuid() != 0:
        raise SystemExit("check_limits.py makes network namespaces: run it as root")
    with Hospital("limits") as hospital, Cable() as cable:
        servers = Servers(cable, hospital.folder)
        try:
            prepare(hospital, checks)
            whole(hospital, cable, checks)
            killed(hospital, cable, checks)
            changed(hospital, cable, checks)
            offline(hospital, cable, checks)
            found = json.loads(must([os.environ["WARD_BIN"], "--data", hospital.data, "segment", "coverage", "icu", "--json"]))
            one = found["segments"][0]
            checks.equal("coverage says what was looked at", (one["addresses"], one["excluded"], one["in_full"], one["never"]), (256, 16, 240, 0))
        finally:
            servers.end()
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
