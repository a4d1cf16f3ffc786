"""A polkit that lies: owns the name on the bus at the given socket and answers CheckAuthorization as it is told.

Written against the D-Bus specification without any library, because no library sends what is not right. The two words in
the file that is named second say how the check without a dialog and the check with one are answered.
"""

import socket
import struct
import sys

METHOD, REPLY, ERROR = 1, 2, 3


def align(data, to):
    return data + b"\0" * (-len(data) % to)


def text(word):
    return struct.pack("<I", len(word)) + word.encode() + b"\0"


def message(kind, serial, fields, signature="", body=b""):
    """fields: (code, type, value). The reader takes everything from the header, so a lie is in what is said there."""
    if signature:
        fields = fields + [(8, "g", signature)]
    array = b""
    for code, form, value in fields:
        array = align(array, 8) + bytes([code, len(form)]) + form.encode() + b"\0"
        if form == "u":
            array = align(array, 4) + struct.pack("<I", value)
        elif form == "g":
            array += bytes([len(value)]) + value.encode() + b"\0"
        else:
            array = align(array, 4) + text(value)
    head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(array))
    return align(head + array, 8) + body


def answer(yes, challenge, details=b""):
    """(bba{ss}), with these bytes as the dictionary's members."""
    return align(struct.pack("<III", yes, challenge, len(details)), 8) + details


STRANGE = text("polkit.dismissed") + b"\1i\0" + struct.pack("<i", 5)
# What is answered: the kind of message, its signature, its body.
ANSWERS = {
    "yes": (REPLY, "(bba{ss})", answer(1, 0)),
    "no": (REPLY, "(bba{ss})", answer(0, 0)),
    "challenge": (REPLY, "(bba{ss})", answer(0, 1)),
    "text": (REPLY, "s", text("yes")),
    "nothing": (REPLY, "", b""),
    "truth-alone": (REPLY, "b", struct.pack("<I", 1)),
    "numbers": (REPLY, "(uua{ss})", answer(1, 0)),
    "other-values": (REPLY, "(bba{sv})", answer(1, 0, STRANGE)),
    "a-list": (REPLY, "(bbas)", struct.pack("<III", 1, 0, 0)),
    "one-truth-too-many": (REPLY, "(bbba{ss})", align(struct.pack("<IIII", 1, 1, 1, 0), 8)),
    "variant": (REPLY, "v", b"\x09(bba{ss})\0" + b"\0" * 5 + answer(1, 0)),
    "neither": (REPLY, "(bba{ss})", answer(2, 0)),
    "strange-error": (ERROR, "s", text("yes")),
    "error-that-says-yes": (ERROR, "(bba{ss})", answer(1, 0)),
    "to-another-call": (REPLY, "(bba{ss})", answer(1, 0)),
    "silence": None,
}


def read(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def calls(stream):
    """Every message that comes: kind, serial, sender, member, body."""
    while True:
        head = read(stream, 16)
        order = "<" if head[:1] == b"l" else ">"
        length, serial, array = struct.unpack(order + "III", head[4:])
        fields = read(stream, array + -array % 8)
        body = read(stream, length)
        found, at = {}, 0
        while at < array:
            at += -at % 8
            code, form = fields[at], fields[at + 2 : at + 3]
            at += 4
            if form == b"g":
                size = fields[at]
                found[code] = fields[at + 1 : at + 1 + size].decode()
                at += size + 2
            elif form == b"u":
                at += -at % 4
                found[code] = struct.unpack(order + "I", fields[at : at + 4])[0]
                at += 4
            else:
                at += -at % 4
                size = struct.unpack(order + "I", fields[at : at + 4])[0]
                found[code] = fields[at + 4 : at + 4 + size].decode()
                at += size + 5
        yield head[1], serial, found.get(7, ""), found.get(3, ""), body


def flags(body):
    """The fourth argument of CheckAuthorization, whether a dialog may open: a number before the last, which is a text."""
    for length in range(200):
        at = len(body) - length - 5
        if at >= 4 and at % 4 == 0 and struct.unpack("<I", body[at : at + 4])[0] == length:
            return struct.unpack("<I", body[at - 4 : at])[0]
    return 0


def live(path, told):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    stream.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
    line = b""
    while b"OK " not in line or not line.endswith(b"\r\n"):
        line += read(stream, 1)
    bus = [(1, "o", "/org/freedesktop/DBus"), (6, "s", "org.freedesktop.DBus"), (2, "s", "org.freedesktop.DBus")]
    stream.sendall(message(METHOD, 1, bus + [(3, "s", "Hello")]))
    owned = text("org.freedesktop.PolicyKit1")
    stream.sendall(message(METHOD, 2, bus + [(3, "s", "RequestName")], "su", align(owned, 4) + struct.pack("<I", 4)))
    serial = 2
    for kind, number, sender, member, body in calls(stream):
        if kind != METHOD:
            continue
        serial += 1
        to = [(6, "s", sender), (5, "u", number)]
        if member == "CancelCheckAuthorization":
            stream.sendall(message(REPLY, serial, to))
            continue
        if member != "CheckAuthorization":
            unknown = [(4, "s", "org.freedesktop.DBus.Error.UnknownMethod")]
            stream.sendall(message(ERROR, serial, to + unknown, "s", text("no")))
            continue
        first, second = open(told).read().split()
        name = second if flags(body) & 1 else first
        print(name, flush=True)
        said = ANSWERS[name]
        if said is None:
            continue
        kind, signature, said = said
        if name == "to-another-call":
            to = [(6, "s", sender), (5, "u", number + 1000)]
        if kind == ERROR:
            to = to + [(4, "s", "org.example.Surprise")]
        stream.sendall(message(kind, serial, to, signature, said))


live(*sys.argv[1:])
