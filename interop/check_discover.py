#!/usr/bin/env python3
"""What Ward finds in a hospital of real TLS servers is what openssl, sslscan, sslyze and testssl.sh find: chain, versions, suites, whose
order decides, requests for client certificates. Where they differ, interop/discover_differences.toml says why; any other difference
fails, and so does one that is listed and not there. A capture of TLS 1.2 handshakes yields the same certificates, in tcpdump's file and
as they pass an interface (R17, R19, R53). Ward is driven as a user drives it: `ward discover scan`, `pcap` and `capture`."""

import json
import os
import pathlib
import re
import signal
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "discover")]

import listening  # noqa: E402
import tools  # noqa: E402
from servers import Servers  # noqa: E402

from hospital import ROOT, Checks, Hospital, eventually, must  # noqa: E402

# STARTTLS that sslyze has not.
NOT_BY_SSLYZE = {"mysql"}


class Differences:
    """The list, and which of it was seen."""

    def __init__(self):
        with open(ROOT / "interop/discover_differences.toml", "rb") as file:
            self.listed = tomllib.load(file).get("difference", [])
        self.used = set()
        self.lock = threading.Lock()

    def explain(self, tool, place, what, only_ward, only_tool):
        """The reason, if exactly this is listed."""
        for number, entry in enumerate(self.listed):
            if re.fullmatch(entry["tool"], tool) and re.fullmatch(entry["server"], place) and re.fullmatch(entry["what"], what) \
                    and set(only_ward) <= set(entry.get("only_ward", [])) and set(only_tool) <= set(entry.get("only_tool", [])):
                with self.lock:
                    self.used.add(number)
                return entry["because"]
        return None

    def unused(self):
        return [f"{entry['tool']} {entry['server']} {entry['what']}" for number, entry in enumerate(self.listed)
                if number not in self.used and not entry.get("varies")]


class Comparison:
    def __init__(self, checks, differences):
        self.checks, self.differences, self.lock = checks, differences, threading.Lock()

    def explained(self, tool, place, ward, theirs):
        """Whether nothing differs but what is listed."""
        pairs = [("versions", sorted(ward.suites), sorted(theirs.suites))]
        pairs += [(version, ward.suites[version], theirs.suites[version]) for version in set(ward.suites) & set(theirs.suites)]
        return all(self.reason(tool, place, *pair)[0] is not None for pair in pairs)

    def reason(self, tool, place, what, ward, theirs):
        """(why they differ or "" or None, what only Ward has, what only the tool has)"""
        only_ward = [shown(each) for each in ward if each not in theirs]
        only_tool = [shown(each) for each in theirs if each not in ward]
        because = self.differences.explain(tool, place.name, what, only_ward, only_tool) if only_ward or only_tool else ""
        return because, only_ward, only_tool

    def same(self, tool, place, what, ward, theirs):
        """Two lists as sets, or a listed difference."""
        because, only_ward, only_tool = self.reason(tool, place, what, ward, theirs)
        text = f"{place.name}: {what} as by {tool}" + (f" but for {len(only_ward) + len(only_tool)}, as listed" if because else "")
        with self.lock:
            self.checks.that(text, because is not None, f"only Ward: {only_ward}\nonly {tool}: {only_tool}")

    def equal(self, text, actual, expected):
        with self.lock:
            self.checks.equal(text, actual, expected)

    def all(self, tool, place, ward, theirs, chain="chain"):
        if theirs.chain:
            expected = theirs.chain if chain == "chain" else theirs.chain[:1]
            with self.lock:
                self.checks.that(f"{place.name}: {chain} of {len(expected)} as by {tool}", expected and ward.chain[:len(expected)] == expected
                                 and (chain == "leaf" or len(ward.chain) == len(expected)), f"Ward {len(ward.chain)}, {tool} {len(expected)}\n{theirs.said[-600:]}")
        if theirs.suites:
            self.same(tool, place, "versions", sorted(ward.suites), sorted(theirs.suites))
            for version in sorted(set(ward.suites) & set(theirs.suites)):
                self.same(tool, place, version, ward.suites[version], theirs.suites[version])
        elif not theirs.chain:
            because = self.differences.explain(tool, place.name, "everything", [], [])
            with self.lock:
                self.checks.that(f"{place.name}: {tool} sees {'nothing, as listed' if because else 'something'}", because, theirs.said[-800:])


def shown(each):
    return f"{each:#06x}" if isinstance(each, int) else str(each)


class Segment:
    """The servers as a segment of Ward, with limits that a second person has signed: no scan starts without."""

    NAME = "loopback"

    def __init__(self, hospital, places):
        self.hospital = hospital
        services = sorted({service(place) for place in places})
        # 127.0.0.1 is one device, so nothing but this has two servers asked side by side.
        hospital.ward("segment", "set", self.NAME, "--range", "127.0.0.1/32", "--port", ",".join(services), "--rate", 2000, "--per-device", 16,
                      "--pause-ms", 0, "--depth", "suites", "--hours", "always", "--silent", 100)
        hospital.sign(self.NAME)

    def scan(self, places, *names):
        """Observations of some places, by `ward discover scan`."""
        out = self.hospital.folder / f"scan-{places[0].port}.jsonl"
        services = ",".join(sorted({service(place) for place in places}))
        asked = [part for name in names for part in ("--name", name)]
        must([self.hospital.binary, "discover", "scan", self.NAME, "--port", services, *asked, "--depth", "suites", "--out", out,
              "--data", self.hospital.data], timeout=600)
        return [json.loads(line) for line in out.read_text().splitlines()]


def service(place):
    return f"{place.port}/{place.starttls or 'tls'}"


def scan(hospital, places):
    """What Ward sees, by the name of the place. Names are asked for at the ports that have any, beside none."""
    segment, named = Segment(hospital, places), {}
    for place in places:
        if place.sni:
            named.setdefault(place.port, []).append(place.sni)
    plain = [place for place in places if place.port not in named]
    lines = segment.scan(plain)
    for port, names in named.items():
        lines += segment.scan([place for place in places if place.port == port], *names)
    seen = {(line["place"]["port"], line["place"].get("sni")): tools.ward(line) for line in lines}
    return {place.name: seen[place.port, place.sni] for place in places}


class Capture:
    """tcpdump on loopback, on the ports of the servers only."""

    def __init__(self, spawn, folder, places):
        self.file, log = folder / "handshakes.pcap", open(folder / "tcpdump.log", "wb")
        ports = " or ".join(f"port {port}" for port in sorted({place.port for place in places}))
        self.process = spawn(["tcpdump", "-i", "lo", "-U", "-B", "16384", "-s", "0", "-Z", "root", "-w", self.file, f"tcp and ({ports})"], stdout=log, stderr=log)
        if not eventually(20, lambda: "listening on" in (folder / "tcpdump.log").read_text()):
            raise SystemExit("tcpdump does not listen")

    def end(self):
        # The kernel hands packets over in blocks.
        size = -1
        while size != self.file.stat().st_size:
            size = self.file.stat().st_size
            time.sleep(1.5)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


def captured(checks, folder, capture, live, places, chains):
    """`ward discover pcap` sees what openssl was shown, and `ward discover capture` saw it as it passed."""
    out = folder / "capture.jsonl"
    report = json.loads(must([os.environ["WARD_BIN"], "discover", "pcap", capture.file, "--out", out, "--json"]))
    seen = listening.chains(out)
    for place in places:
        found = seen.get((place.port, place.sni), [])
        checks.that(f"{place.name}: the capture holds the chain of {len(chains[place.name])} that openssl was shown",
                    chains[place.name] and chains[place.name] in found, f"{len(found)} other chains; {json.dumps(report['summary'])[:600]}")
    listening.beside_tcpdump(checks, live, out, {place.port for place in places})


def ask_all(places, ward, compare):
    """Every other tool about every server, no more than one at a time about any."""
    lock = {place.port: threading.Lock() for place in places}
    known = set(tools.known_to_openssl().values())

    def one(place):
        with lock[place.port]:
            seen = tools.sslscan(place)
        compare.all("sslscan", place, ward[place.name], seen, "leaf")
        for version, suites in seen.suites.items():
            ours = ward[place.name].suites.get(version, [])
            # sslscan strikes off what was chosen, too: first what its OpenSSL knows, then the rest. TLS 1.3 has an order of its own.
            if place.ordered and version != "tls1.3" and set(ours) == set(suites):
                ours, suites = ([suite for suite in each if suite in known] for each in (ours, suites))
                compare.equal(f"{place.name}: {version} in the order of sslscan", ours, suites)

    def group(members):
        for place in members:
            lock[place.port].acquire()
        try:
            seen = tools.sslyze(members)
            for place in members:
                # It makes five connections at a time and takes a slow answer for a refusal.
                if not compare.explained("sslyze", place, ward[place.name], seen[place.name]):
                    seen |= tools.sslyze([place], slow=True)
                compare.all("sslyze", place, ward[place.name], seen[place.name])
        finally:
            for place in members:
                lock[place.port].release()

    def long(place):
        with lock[place.port]:
            seen = tools.testssl(place)
        compare.all("testssl.sh", place, ward[place.name], seen)
        ordered = {version: whose for version, whose in ward[place.name].ordered.items() if version in seen.ordered}
        compare.equal(f"{place.name}: whose order decides, as by testssl.sh", ordered, seen.ordered)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(long, place) for place in places if place.long]
        groups = {}
        for place in places:
            if place.starttls not in NOT_BY_SSLYZE:
                groups.setdefault((place.starttls, place.sni, place.single and place.port), []).append(place)
        done += [pool.submit(one, place) for place in places]
        done += [pool.submit(group, members) for members in groups.values()]
        for each in done:
            each.result()


def main():
    checks, differences = Checks("discover"), Differences()
    compare = Comparison(checks, differences)
    if os.geteuid() != 0:
        raise SystemExit("check_discover.py listens on interfaces and makes network namespaces: run it as root")
    listening.refusals(checks)
    with Hospital("discover") as hospital:
        folder = hospital.folder / "servers"
        folder.mkdir()
        listening.on_a_cable(checks, hospital.spawn, folder)
        listening.on_a_span_port(checks, hospital.spawn, folder)
        servers = Servers(folder, hospital.spawn)
        places = servers.all()
        ward = scan(hospital, places)
        live = listening.Listening(hospital.spawn, folder, "lo")
        capture = Capture(hospital.spawn, folder, places)
        # openssl does not speak RDP.
        chains = {place.name: tools.sslyze([place])[place.name] if place.starttls == "rdp" else tools.openssl(place) for place in places}
        capture.end()
        summary = live.end()
        checks.that("nothing that passed on loopback was dropped", not summary.get("dropped"), summary)
        for place in places:
            by = "sslyze" if place.starttls == "rdp" else "openssl"
            compare.all(by, place, ward[place.name], chains[place.name])
            compare.equal(f"{place.name}: {'asks' if place.asks else 'does not ask'} for a client certificate", ward[place.name].asks, place.asks)
            if chains[place.name].asks is not None:
                compare.equal(f"{place.name}: and so says openssl", chains[place.name].asks, place.asks)
            if place.ordered is not None:
                whose = {version: place.ordered for version, suites in ward[place.name].suites.items() if len(suites) > 1 and version != "tls1.3"}
                compare.equal(f"{place.name}: the order is {'its own' if place.ordered else 'the client’s'}, as configured",
                              {version: ward[place.name].ordered[version] for version in whose}, whose)
        captured(checks, folder, capture, live.out, places, {name: seen.chain for name, seen in chains.items()})
        ask_all(places, ward, compare)
    checks.equal("every listed difference is there", differences.unused(), [])
    return checks.summary()


if __name__ == "__main__":
    sys.exit(main())
