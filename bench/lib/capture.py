"""Captures of any size, made of one that tcpdump took of a real handshake: the same packets between other addresses."""

import pathlib
import struct

ETHERNET, IP, TCP = 14, 20, 20
SEGMENT = 1448


class Recorded:
    """A capture of one connection over IPv4 and Ethernet, in the byte order of this machine."""

    def __init__(self, path):
        data = path.read_bytes()
        self.head, self.packets = data[:24], []
        magic, link = struct.unpack("<I", data[:4])[0], struct.unpack("<I", data[20:24])[0]
        assert magic == 0xA1B2C3D4 and link == 1, path
        at = 24
        while at < len(data):
            _, _, kept, _ = struct.unpack("<IIII", data[at:at + 16])
            self.packets.append(data[at + 16:at + 16 + kept])
            at += 16 + kept
        self.server = struct.unpack(">H", self.packets[0][ETHERNET + IP + 2:ETHERNET + IP + 4])[0]

    def between(self, client, port):
        """The packets with another client."""
        for packet in self.packets:
            packet = bytearray(packet)
            source = struct.unpack(">H", packet[34:36])[0]
            mine, theirs = (26, 30), (34, 36)
            if source == self.server:
                mine, theirs = (30, 26), (36, 34)
            packet[mine[0]:mine[0] + 4] = client
            packet[mine[1]:mine[1] + 4] = b"\x0a\x1e\x00\x01"
            packet[theirs[0]:theirs[0] + 2] = struct.pack(">H", port)
            yield bytes(packet)

    def bulk(self, packets, segments):
        """What the server goes on to send: records of application data in full segments."""
        last = next(packet for packet in reversed(packets) if packet[34:36] == struct.pack(">H", self.server) and not packet[47] & 0x05)
        header = ETHERNET + IP + (last[46] >> 4) * 4
        sequence = struct.unpack(">I", last[38:42])[0] + struct.unpack(">H", last[16:18])[0] - (header - ETHERNET)
        record = b"\x17\x03\x03" + struct.pack(">H", SEGMENT - 5) + b"\xa5" * (SEGMENT - 5)
        for number in range(segments):
            packet = bytearray(last[:header]) + record
            packet[16:18] = struct.pack(">H", len(packet) - ETHERNET)
            packet[38:42] = struct.pack(">I", (sequence + number * SEGMENT) & 0xFFFFFFFF)
            packet[47] = 0x18
            yield bytes(packet)


def write(source, out, connections, segments=0):
    """`connections` times the recorded one, each followed by so many full segments; without them its end is kept."""
    recorded = Recorded(source)
    with open(out, "wb", buffering=1 << 20) as file:
        file.write(recorded.head)
        moment = 1_790_000_000_000_000
        for number in range(connections):
            client = b"\x0a" + struct.pack(">I", 0x200000 + number // 20_000)[1:]
            packets = list(recorded.between(client, 20_000 + number % 20_000))
            if segments:
                packets = [packet for packet in packets if not packet[47] & 0x05]
                packets += recorded.bulk(packets, segments)
            for packet in packets:
                moment += 10
                file.write(struct.pack("<IIII", moment // 1_000_000, moment % 1_000_000, len(packet), len(packet)))
                file.write(packet)
    return pathlib.Path(out)
