"""Interleaved rounds over several servers, medians, and a table with ratios.

Machines differ and so do minutes on one machine: each round visits every server once before any is
visited again, and only ratios within one run are claimed.
"""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field


@dataclass
class Target:
    """One server as it is measured: where it listens and what it is sent."""

    name: str
    address: str
    pids: list

    arguments: list = field(default_factory=list)
    # Which of this crate's load generators.
    generator: str = "loadgen"
    # For a server whose accept queue holds one: more connections would measure the kernel's retries.
    at_most: int = 1000
    # Some peers turn requests away under load; those are not counted as answers.
    may_fail: bool = False


def load(binaries, target, connections, seconds, warm_up=1.0):
    clients = "--workers" if target.generator == "acmegen" else "--connections"
    command = [binaries / target.generator, target.address, clients, min(connections, target.at_most), "--seconds", seconds,
               "--warm-up", warm_up, *target.arguments]
    for pid in target.pids:
        command += ["--pid", pid]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=seconds + warm_up + 60)
    if done.returncode != 0:
        raise SystemExit(f"{target.name}: {done.stderr}")
    outcome = json.loads(done.stdout)
    if (outcome["failures"] and not target.may_fail) or not outcome["answers"]:
        raise SystemExit(f"{target.name}: {outcome['failures']} failures, {outcome['answers']} answers: {outcome['first_failure']}")
    return outcome


def rounds(binaries, targets, connection_counts, count, seconds):
    """{connections: {target name: median outcome}}"""
    seen = {connections: {target.name: [] for target in targets} for connections in connection_counts}
    for number in range(count):
        for connections in connection_counts:
            # Each round goes the other way round, so that nobody always runs after the same neighbour.
            for target in targets if number % 2 == 0 else reversed(targets):
                outcome = load(binaries, target, connections, seconds)
                seen[connections][target.name].append(outcome)
                print(f"  round {number + 1}/{count} {connections:>4} connections {target.name}: "
                      f"{outcome['per_second']:.0f}/s", file=sys.stderr)
    return {connections: {name: median(outcomes) for name, outcomes in by_name.items()} for connections, by_name in seen.items()}


def median(outcomes):
    result = {key: statistics.median(outcome[key] for outcome in outcomes)
              for key in ("per_second", "p50_us", "p99_us", "server_cpu_us")}
    result["server_peak_mib"] = max(outcome["server_peak_kib"] for outcome in outcomes) / 1024
    return result


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}"


def table(results, reference, note=""):
    """Prints one block for each number of connections; ratios are the reference's to the row's server."""
    for connections, by_name in results.items():
        base = by_name.get(reference)
        print(f"\n{connections} connection{'s' if connections > 1 else ''}{note}")
        print(f"  {'server':<28}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs/op':>11}{'peak MiB':>10}"
              f"{f'{reference} is':>16}{'per CPU s':>11}")
        for name, row in by_name.items():
            ratios = f"{'–':>16}{'–':>11}"
            if base and name != reference:
                cpu = f"{row['server_cpu_us'] / base['server_cpu_us']:.2f}×" if base["server_cpu_us"] else "–"
                ratios = f"{base['per_second'] / row['per_second']:>15.2f}×{cpu:>11}"
            print(f"  {name:<28}{row['per_second']:>12,.0f}{milliseconds(row['p50_us']):>9}{milliseconds(row['p99_us']):>9}"
                  f"{row['server_cpu_us']:>11.1f}{row['server_peak_mib']:>10.0f}{ratios}")
