"""TCP ports for the tests' servers. `python3 interop/ports.py` prints one."""

import fcntl
import os
import pathlib
import random
import socket
import tempfile
import time

# Below those that the kernel gives to clients: a server that binds to every address cannot have one from which some client
# on this machine happens to be connected, and checks have thousands.
FIRST, LAST = 20_001, 32_000
# How long a port stays with whoever was given it, whether or not it listens there yet: checks run beside each other.
HELD_SECONDS = 600
BOOK = pathlib.Path(tempfile.gettempdir()) / f"ward-ports-{os.getuid()}"


def free_port():
    """A port that nobody listens on and that nobody was given lately."""
    with open(BOOK, "a+") as book:
        fcntl.flock(book, fcntl.LOCK_EX)
        book.seek(0)
        entries = (line.split() for line in book.read().splitlines())
        held = {int(port): float(since) for port, since in entries if float(since) > time.time() - HELD_SECONDS}
        for _ in range(2000):
            port = random.SystemRandom().randint(FIRST, LAST)
            if port not in held and is_free(port):
                break
        else:
            raise SystemExit(f"no free port between {FIRST} and {LAST}")
        held[port] = time.time()
        book.seek(0)
        book.truncate()
        book.writelines(f"{port} {since}\n" for port, since in held.items())
    return port


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    print(free_port())
