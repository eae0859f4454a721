"""HTTP/1.1 over sockets of one's own, so that a connection can end as those of devices do: at any byte, politely, rudely, or
without a word."""

import collections
import socket
import ssl
import struct
import time

PATIENCE = 60
# Devices that fell silent: their sockets stay open, as long as there are not too many of them.
SILENT = collections.deque()
MOST_SILENT = 500

# Where a connection ends.
CUTS = ("at once", "in the handshake", "in the request", "before the answer", "in the answer")
# And how: RST, FIN, or not at all, which the other side cannot tell from a slow device.
ENDS = ("reset", "closed", "silent")


class Lost(Exception):
    """There is no answer, whoever's fault that is."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:300]!r}"


class Place:
    """A server: its address and, if it speaks TLS, how to know it."""

    def __init__(self, port, trust=None):
        self.port, self.tls = port, None
        if trust:
            self.tls = ssl.create_default_context(cafile=str(trust))
            self.tls.set_alpn_protocols(["http/1.1"])

    def connect(self, source):
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def open(self, source):
        plain = self.connect(source)
        if not self.tls:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname="127.0.0.1")
        except BaseException:
            plain.close()
            raise


def request(method, path, body=b"", headers=(), keep=False):
    lines = [f"{method} {path} HTTP/1.1", "Host: ward.mercy.example", f"Content-Length: {len(body)}",
             *(f"{name}: {value}" for name, value in headers), *(() if keep else ("Connection: close",))]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ask(place, source, message, chance=None, slowly=False, copies=1):
    """The answers to a request that is sent whole, `copies` times in a row on one connection (RFC 9112 §9.3.2)."""
    try:
        wire = place.open(source)
        try:
            if slowly:
                drip(wire, message, chance)
            else:
                wire.sendall(message * copies)
            reader = wire.makefile("rb")
            return [read(reader) for _ in range(copies)]
        finally:
            wire.close()
    except (OSError, ValueError) as error:
        raise Lost(repr(error)) from error


def drip(wire, message, chance):
    """A slow line: a few pieces with pauses, less than a server may lose its patience over."""
    ends = sorted(chance.sample(range(1, len(message)), 4)) + [len(message)]
    start = 0
    for end in ends:
        wire.sendall(message[start:end])
        time.sleep(chance.uniform(0.05, 0.4))
        start = end


def read(reader):
    first = reader.readline()
    if not first.startswith(b"HTTP/1.1 "):
        raise Lost(f"no answer: {first!r}")
    status, headers = int(first.split()[1]), {}
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    if "content-length" not in headers:
        raise Lost(f"an answer without a length: {headers}")
    length = int(headers["content-length"])
    body = reader.read(length)
    if len(body) < length:
        raise Lost("half an answer")
    return Answer(status, headers, body)


def break_off(place, source, message, cut, end, chance):
    """Sends a request, or begins to, and is gone. Lost only if there was no connection to break."""
    wire = None
    try:
        if cut in ("at once", "in the handshake"):
            wire = place.connect(source)
            if cut == "in the handshake":
                wire.sendall(beginning(place, message, chance))
        else:
            wire = place.open(source)
            wire.sendall(message[:chance.randrange(1, len(message))] if cut == "in the request" else message)
        if cut == "before the answer":
            time.sleep(chance.uniform(0, 0.03))
        elif cut == "in the answer":
            wire.recv(chance.randrange(1, 400))
    except OSError as error:
        if wire is None:
            raise Lost(repr(error)) from error
        # The server was faster: gone is gone.
    leave(wire, end)


def beginning(place, message, chance):
    """The beginning of what a connection begins with."""
    if not place.tls:
        return message[:chance.randrange(1, 10)]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        place.tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    return hello[:chance.randrange(1, len(hello) + 1)]


def leave(wire, end):
    try:
        if end == "silent":
            SILENT.append(wire)
            if len(SILENT) > MOST_SILENT:
                SILENT.popleft().close()
            return
        if end == "reset":
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
    except (OSError, IndexError):
        pass
