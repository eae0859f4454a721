#!/usr/bin/env python3
"""Verifies the audit log of a Ward certificate authority without any of Ward's code.

It needs nothing but Python 3 and its standard library, and works offline on an exported folder
(`ward audit export`), or on a served log:

    verify_log.py FOLDER --vkey KEY [--since CHECKPOINT]
    verify_log.py https://ca.example/log --vkey KEY --token TOKEN --anchor ROOT.pem --no-certificates

What is checked:

 1. the checkpoint carries an Ed25519 signature of KEY               (C2SP signed-note, RFC 8032)
 2. all events hash to the checkpoint's root                         (RFC 6962 section 2.1)
 3. every hash tile is the one that follows from the events          (C2SP tlog-tiles)
 4. every issued certificate is there, has its logged SHA-256, and no other is there
 5. every issued or voided certificate has a serial number that was announced (certificate.intend) or
    reserved (certificate.reserve) before; every announced one was issued or voided, or announced in the
    last five minutes of the log; a block of reserved ones, when all are issued, voided or given back
    (certificate.unreserve), has the hash that its reservation committed to
 6. with --since: the log of that checkpoint is a prefix of this one
 7. in a folder: there is no other file (README.txt is not read), and `vkey` is KEY

The exit status is 0 if everything holds, 1 if not, 2 for wrong usage or no answer. Memory does not grow with
the events; it holds 32 bytes for every 256 of them, the intents and the blocks that are open.
"""

import argparse
import base64
import datetime
import hashlib
import json
import os
import ssl
import sys
import urllib.error
import urllib.request

WIDTH = 256  # hashes in a full tile, events in a full bundle
IN_FLIGHT = datetime.timedelta(minutes=5)  # a signature announced so shortly before the end may follow


# --- Ed25519 verification (RFC 8032 section 5.1.7), slow and short ------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    """Adds in extended homogeneous coordinates (RFC 8032 section 5.1.4)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_decode(data):
    """RFC 8032 section 5.1.3; None for what is not the one encoding of a point."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r = point_decode(public), point_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    left, right = point_multiply(s, BASE), point_add(r, point_multiply(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % P == 0


# --- The Merkle tree (RFC 6962 section 2.1) ------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The roots of the complete subtrees so far, as (height, hash), the leftmost first."""

    def __init__(self):
        self.size, self.roots = 0, []

    def append(self, leaf):
        height, node = 0, leaf
        while self.roots and self.roots[-1][0] == height:
            node = node_hash(self.roots.pop()[1], node)
            height += 1
        self.roots.append((height, node))
        self.size += 1

    def root(self):
        if not self.roots:
            return hashlib.sha256(b"").digest()
        node = self.roots[-1][1]
        for _, left in reversed(self.roots[:-1]):
            node = node_hash(left, node)
        return node


def full_tile_root(hashes):
    while len(hashes) > 1:
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


# --- Keys, notes and checkpoints (C2SP signed-note, tlog-checkpoint) -----------------------------


class Wrong(Exception):
    """Something does not hold; the text says what."""


def strict_base64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Wrong("not the one base64 spelling")
    return data


class Key:
    def __init__(self, vkey):
        name, key_hash, key = (vkey.split("+", 2) + ["", ""])[:3]
        data = strict_base64(key)
        if not name or len(data) != 33 or data[0] != 1:
            raise Wrong("the vkey is not name+hash+key with an Ed25519 key")
        self.name, self.public, self.vkey = name, data[1:], vkey
        self.hash = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if self.hash.hex() != key_hash:
            raise Wrong("the vkey's hash does not belong to its name and key")


def open_checkpoint(note, key):
    """Size and root of a checkpoint, after its signature was checked."""
    try:
        note = note.decode()
    except UnicodeDecodeError:
        raise Wrong("it is not text") from None
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    if not gap or not signatures.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise Wrong("it is not a signed note")
    signed = False
    for line in signatures[:-1].split("\n"):
        dash, name, blob = (line.split(" ", 2) + ["", ""])[:3]
        if dash != "\u2014" or not name:
            raise Wrong("it has a malformed signature line")
        blob = strict_base64(blob)
        if name == key.name and blob[:4] == key.hash:
            if not ed25519_verify(key.public, text.encode(), blob[4:]):
                raise Wrong("the signature of the log's key is wrong")
            signed = True
    if not signed:
        raise Wrong("there is no signature of the log's key")
    lines = text[:-1].split("\n")
    if len(lines) != 3 or lines[0] != key.name:
        raise Wrong("it is not a checkpoint of this log")
    if not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
        raise Wrong("its size is not a number")
    root = strict_base64(lines[2])
    if len(root) != 32:
        raise Wrong("its root has not 32 bytes")
    return int(lines[1]), root


# --- Where the files come from -------------------------------------------------------------------


class Folder:
    def __init__(self, path):
        self.path = path

    def read(self, name):
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                return file.read()
        except OSError:
            return None

    def names(self):
        for directory, _, files in os.walk(self.path):
            for file in files:
                yield os.path.relpath(os.path.join(directory, file), self.path).replace(os.sep, "/")


class Site:
    def __init__(self, url, token, anchor):
        self.url, self.token = url.rstrip("/"), token
        self.tls = ssl.create_default_context(cafile=anchor)

    def read(self, name):
        request = urllib.request.Request(f"{self.url}/{name}")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def names(self):
        return ()


def tile_name(kind, index, width):
    """C2SP tlog-tiles: x001/x234/067, and .p/W for a partial one."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"{kind}/{'/'.join(groups)}" + ("" if width == WIDTH else f".p/{width}")


def split_prefixed(data, prefix):
    """The items of a bundle, each behind its length in `prefix` bytes."""
    items, at = [], 0
    while at < len(data):
        if at + prefix > len(data):
            raise Wrong("it is cut short")
        length = int.from_bytes(data[at : at + prefix], "big")
        at += prefix + length
        if at > len(data):
            raise Wrong("it is cut short")
        items.append(data[at - length : at])
    return items


# --- The verification ----------------------------------------------------------------------------


class Verifier:
    def __init__(self, source, key, earlier, with_certificates):
        self.source, self.key, self.with_certificates = source, key, with_certificates
        self.findings, self.expected = [], {"checkpoint", "vkey", "README.txt"}
        self.tree, self.levels = Tree(), {}
        self.intents, self.open_intents, self.last_time = {}, 0, None
        self.blocks = {}  # of reserved serial numbers that are open
        self.certificates, self.earlier = 0, earlier
        self.earlier_size = self.earlier_root = None

    def find(self, text):
        self.findings.append(text)

    def read(self, name):
        self.expected.add(name)
        data = self.source.read(name)
        if data is None:
            self.find(f"{name}: missing")
        return data

    def run(self):
        if self.earlier is not None:
            try:
                self.earlier_size, self.earlier_root = open_checkpoint(self.earlier, self.key)
            except Wrong as wrong:
                self.find(f"the earlier checkpoint: {wrong}")
        note = self.read("checkpoint")
        if note is None:
            return
        try:
            size, root = open_checkpoint(note, self.key)
        except Wrong as wrong:
            self.find(f"checkpoint: {wrong}")
            return
        if self.earlier_size is not None and self.earlier_size > size:
            self.find(f"the log has {size} entries; it had {self.earlier_size} before: truncated")
        self.compare_earlier()
        for index in range((size + WIDTH - 1) // WIDTH):
            self.bundle(index, min(WIDTH, size - index * WIDTH))
        if self.tree.size != size or self.tree.root() != root:
            self.find(f"checkpoint: its root is not that of the {self.tree.size} entries")
        self.tiles_above(size)
        for serial, (seq, time) in sorted(self.intents.items(), key=lambda item: item[1]):
            if self.last_time - time <= IN_FLIGHT:
                self.open_intents += 1
            else:
                self.find(f"entry {seq}: serial {serial} was neither issued nor voided")
        self.other_files()

    def compare_earlier(self):
        if self.tree.size == self.earlier_size and self.tree.root() != self.earlier_root:
            self.find(f"the first {self.earlier_size} entries are not those of the earlier checkpoint")

    def bundle(self, index, width):
        name = tile_name("tile/entries", index, width)
        data = self.read(name)
        if data is None:
            return
        try:
            entries = split_prefixed(data, 2)
        except Wrong as wrong:
            self.find(f"{name}: {wrong}")
            return
        if len(entries) != width:
            self.find(f"{name}: has {len(entries)} entries, not {width}")
        leaves = [leaf_hash(entry) for entry in entries]
        digests = []
        for offset, (entry, leaf) in enumerate(zip(entries, leaves)):
            self.tree.append(leaf)
            self.compare_earlier()
            self.event(index * WIDTH + offset, entry, digests)
        self.compare_tile(tile_name("tile/0", index, width), leaves)
        if len(leaves) == WIDTH:
            self.levels.setdefault(1, []).append(full_tile_root(leaves))
        if self.with_certificates:
            self.check_certificates(tile_name("certificates", index, width), digests)

    def event(self, seq, entry, digests):
        try:
            event = json.loads(entry)
            action, outcome, serial = event["action"], event["outcome"], event["object"]["id"]
            self.last_time = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.find(f"entry {seq}: not an event")
            return
        if outcome != "done":
            return
        if action == "certificate.intend":
            if serial in self.intents:
                self.find(f"entry {seq}: serial {serial} was announced before")
            self.intents[serial] = (seq, self.last_time)
        elif action == "certificate.reserve":
            self.reserve(seq, serial, event.get("after") or {})
        elif action == "certificate.unreserve":
            self.give_back(seq, serial, event.get("after") or {})
        elif action == "certificate.void":
            self.account(seq, serial, event.get("after"))
        elif action == "certificate.issue":
            self.account(seq, serial, event.get("after"))
            digest = event.get("digest")
            if digest is None:
                self.find(f"entry {seq}: issues a certificate without its digest")
            else:
                digests.append((seq, digest))

    def reserve(self, seq, block, after):
        if block in self.blocks:
            self.find(f"entry {seq}: block {block} was reserved before")
        count = after.get("count")
        if not isinstance(count, int) or count < 1:
            self.find(f"entry {seq}: does not say how many serial numbers it reserves")
            return
        self.blocks[block] = (seq, self.last_time, after, set())

    def account(self, seq, serial, after):
        """A serial number is a certificate's or void: it was announced, or is one of an open block."""
        block = (after or {}).get("block")
        if block is None:
            ceremony = after is None or after.get("profile") == "ca"
            if self.intents.pop(serial, None) is None and not ceremony:
                self.find(f"entry {seq}: serial {serial} was neither announced nor reserved")
        elif block not in self.blocks:
            self.find(f"entry {seq}: serial {serial} is not of an open block")
        else:
            _, _, reserved, serials = self.blocks[block]
            if reserved.get("issuer") != after.get("issuer") or serial in serials:
                self.find(f"entry {seq}: serial {serial} is of another issuer than its block, or used twice")
            serials.add(serial)
            if len(serials) == reserved.get("count"):
                self.end_block(seq, block)

    def give_back(self, seq, block, after):
        unused = [str(serial) for serial in after.get("unused") or []]
        if block in self.blocks:
            serials = self.blocks[block][3]
            if not serials.isdisjoint(unused):
                self.find(f"entry {seq}: gives back a serial number of block {block} that was used")
            serials.update(unused)
            self.end_block(seq, block)
        elif unused:  # of one that was used up nothing is left to give back
            self.find(f"entry {seq}: gives back serial numbers of a block that is not open")

    def end_block(self, seq, block):
        first, _, reserved, serials = self.blocks.pop(block)
        try:
            digest = hashlib.sha256(bytes.fromhex("".join(sorted(serials)))).hexdigest()
        except (TypeError, ValueError):
            digest = None
        if len(serials) != reserved.get("count") or digest != reserved.get("serials_sha256"):
            self.find(f"entry {seq}: the serial numbers of block {block} are not those that entry {first} reserved")

    def check_certificates(self, name, digests):
        self.expected.add(name)
        data = self.source.read(name)
        if data is None:
            if digests:
                self.find(f"{name}: missing; entry {digests[0][0]} issued a certificate")
            return
        try:
            certificates = split_prefixed(data, 4)
        except Wrong as wrong:
            self.find(f"{name}: {wrong}")
            return
        have = [hashlib.sha256(der).hexdigest() for der in certificates]
        if not have:
            self.find(f"{name}: empty")
        if have != [digest for _, digest in digests]:
            wrong = [seq for seq, digest in digests if digest not in have]
            self.find(f"{name}: not the certificates issued in its entries; missing of: {wrong}")
        self.certificates += len(have)

    def tiles_above(self, size):
        level = 1
        while size >> (8 * level):
            hashes = self.levels.get(level, [])
            for index in range(((size >> (8 * level)) + WIDTH - 1) // WIDTH):
                width = min(WIDTH, (size >> (8 * level)) - index * WIDTH)
                part = hashes[index * WIDTH : index * WIDTH + width]
                self.compare_tile(tile_name(f"tile/{level}", index, width), part)
                if len(part) == WIDTH:
                    self.levels.setdefault(level + 1, []).append(full_tile_root(part))
            level += 1

    def compare_tile(self, name, hashes):
        data = self.read(name)
        if data is not None and data != b"".join(hashes):
            self.find(f"{name}: its hashes do not follow from the entries")

    def other_files(self):
        if isinstance(self.source, Folder):
            vkey = self.read("vkey")
            if vkey is not None and vkey != (self.key.vkey + "\n").encode():
                self.find("vkey: not the key that the folder was checked with")
        for name in self.source.names():
            if name not in self.expected:
                self.find(f"{name}: not a file of this log")


def main():
    parser = argparse.ArgumentParser(description="Verifies the audit log of a Ward CA offline.")
    parser.add_argument("log", help="an exported folder, or the URL of a served log")
    parser.add_argument("--vkey", help="the log's key, or a file with it; from another source than the log")
    parser.add_argument("--since", help="a file with a checkpoint of this log kept from before")
    parser.add_argument("--token", help="a bearer token, for a URL")
    parser.add_argument("--anchor", help="a file with the root certificate for TLS, for a URL")
    parser.add_argument("--no-certificates", action="store_true", help="check the log without them")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    is_url = options.log.startswith(("http://", "https://"))
    source = Site(options.log, options.token, options.anchor) if is_url else Folder(options.log)
    try:
        vkey = options.vkey or (source.read("vkey") or b"").decode().rstrip("\n")
        if options.vkey and os.path.exists(options.vkey):
            with open(options.vkey, encoding="utf-8") as file:
                vkey = file.read().rstrip("\n")
        key = Key(vkey)
        earlier = None
        if options.since:
            with open(options.since, "rb") as file:
                earlier = file.read()
    except (OSError, UnicodeDecodeError, Wrong) as error:
        print(f"verify_log: {error}", file=sys.stderr)
        return 2
    verifier = Verifier(source, key, earlier, not options.no_certificates)
    try:
        verifier.run()
    except urllib.error.URLError as error:
        print(f"verify_log: {options.log}: {error}", file=sys.stderr)
        return 2
    report(verifier, options)
    return 1 if verifier.findings else 0


def report(verifier, options):
    size, root = verifier.tree.size, verifier.tree.root().hex()
    reserved = sum(after["count"] - len(serials) for _, _, after, serials in verifier.blocks.values())
    if options.json:
        print(json.dumps({"size": size, "root": root, "certificates": verifier.certificates,
                          "open_intents": verifier.open_intents, "reserved_serials": reserved, "findings": verifier.findings}))
        return
    for finding in verifier.findings:
        print(f"WRONG  {finding}")
    if not options.vkey:
        print("note   the key came with the log: this shows that it is consistent, not whose it is")
    if verifier.open_intents:
        print(f"note   {verifier.open_intents} signatures were announced in the last five minutes and are open")
    if reserved:
        print(f"note   {reserved} serial numbers are reserved and not used yet")
    verdict = f"{len(verifier.findings)} things are wrong" if verifier.findings else "everything holds"
    print(f"{size} entries, {verifier.certificates} certificates, root {root}: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
