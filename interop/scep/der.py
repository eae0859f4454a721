"""DER by hand: what a SCEP message needs, and what a wrong one needs to be built at all."""


def tlv(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value):
    return tlv(0x04, value)


def bits(value):
    return tlv(0x03, b"\0" + value)


def printable(text):
    return tlv(0x13, text.encode())


def oid(dotted):
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in [first * 40 + second, *rest]:
        chunk = [arc & 0x7F]
        while arc := arc >> 7:
            chunk.append(0x80 | arc & 0x7F)
        out += bytes(reversed(chunk))
    return tlv(0x06, bytes(out))


NULL = b"\x05\x00"


def algorithm(dotted, parameters=NULL):
    return seq(oid(dotted), parameters)


class Node:
    """One element of a DER structure, with those in it."""

    def __init__(self, data, at=0):
        self.start, self.tag = at, data[at]
        length, header = data[at + 1], 2
        if length & 0x80:
            count = length & 0x7F
            length, header = int.from_bytes(data[at + 2:at + 2 + count], "big"), 2 + count
        self.end = at + header + length
        if self.end > len(data):
            raise ValueError("truncated")
        self.raw, self.value = data[at:self.end], data[at + header:self.end]

    def children(self):
        out, at = [], 0
        while at < len(self.value):
            out.append(Node(self.value, at))
            at = out[-1].end
        return out

    def __getitem__(self, index):
        return self.children()[index]


def indefinite(der, depth=3):
    """The same element in BER: indefinite lengths down to a depth, primitive OCTET STRINGs chopped in two."""
    node = Node(der)
    if node.tag == 0x04 and len(node.value) > 8:
        half = len(node.value) // 2
        return b"\x24\x80" + octets(node.value[:half]) + octets(node.value[half:]) + b"\0\0"
    if not node.tag & 0x20 or not depth:
        return der
    return bytes([node.tag, 0x80]) + b"".join(indefinite(child.raw, depth - 1) for child in node.children()) + b"\0\0"
