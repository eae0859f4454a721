"""Changes every byte of an exported folder, one at a time, and demands that verify_log finds it.

usage: every_byte.py VERIFY_LOG_PY FOLDER VKEY

It runs in one process and keeps the folder in memory, because one process a byte would take
minutes. README.txt is left out: no verifier reads it. Prints how many changes were found.
"""

import functools
import importlib.util
import os
import sys


class Memory:
    """Stands in for verify_log.Folder."""

    def __init__(self, files):
        self.files = files

    def read(self, name):
        return self.files.get(name)

    def names(self):
        return list(self.files)


def load(path):
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("verify_log", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The verification is a function of its arguments, and most changes do not touch them.
    module.ed25519_verify = functools.lru_cache(None)(module.ed25519_verify)
    module.Folder = Memory
    return module


def main():
    module = load(sys.argv[1])
    files = {}
    for directory, _, names in os.walk(sys.argv[2]):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, sys.argv[2])] = file.read()
    key = module.Key(sys.argv[3])

    def findings(changed):
        verifier = module.Verifier(Memory(changed), key, None, True)
        verifier.run()
        return verifier.findings

    assert findings(files) == [], findings(files)
    changes = missed = 0
    for name in sorted(set(files) - {"README.txt"}):
        data = files[name]
        for place in range(len(data)):
            flipped = bytearray(data)
            flipped[place] ^= 1 << (place % 8)
            changes += 1
            if not findings({**files, name: bytes(flipped)}):
                missed += 1
                print(f"missed: {name} byte {place}")
        for cut in (data[:-1], data + b"\0", b""):
            changes += 1
            if not findings({**files, name: cut}):
                missed += 1
                print(f"missed: {name} with {len(cut)} bytes")
        changes += 1
        if not findings({other: files[other] for other in files if other != name}):
            missed += 1
            print(f"missed: {name} removed")
    print(changes)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
