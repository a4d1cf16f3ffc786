"""Calls so often on one connection to the system bus, as fast as it is answered, and prints how often that was well and which
errors it got. Without more than a number it submits requests, each of which may open a dialog before its caller, and then keeps
the connection until it is ended. Otherwise: the number, Submit, Plan or Hold, and the words, in which # is the number of the call.

Written against the D-Bus specification without any library, so that nothing asks less often than it is told to.
"""

import collections
import socket
import struct
import sys

NAME = "org.countersign.Broker1"
PATH = "/org/countersign/Broker1"


def align(data, to):
    return data + b"\0" * (-len(data) % to)


def text(word):
    return struct.pack("<I", len(word)) + word.encode() + b"\0"


def call(serial, flags, to, path, interface, member, signature="", body=b""):
    fields = [(1, "o", path), (6, "s", to), (2, "s", interface), (3, "s", member)]
    array = b""
    for code, form, value in fields:
        array = align(array, 8) + bytes([code, 1]) + form.encode() + b"\0" + text(value)
    if signature:
        array = align(array, 8) + bytes([8, 1]) + b"g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
    head = struct.pack("<cBBBIII", b"l", 1, flags, 1, len(body), serial, len(array))
    return align(head + array, 8) + body


def asked(words):
    """a{sv} with argv: the array begins at 8, its one entry too."""
    array = b""
    for word in words:
        array = align(array, 4) + text(word)
    entry = text("argv") + b"\2as\0"
    # Where the list of words begins is counted from the body, which the entry's place is 8 in.
    entry = align(entry, 4) + struct.pack("<I", len(array)) + array
    return struct.pack("<I", len(entry)) + b"\0" * 4 + entry


def read(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            sys.exit("the bus closed the connection")
        data += more
    return data


def message(stream):
    head = read(stream, 16)
    length, _, array = struct.unpack("<III", head[4:])
    fields = read(stream, array + -array % 8)
    body = read(stream, length)
    at, found = 0, {}
    while at < array:
        at += -at % 8
        code, form = fields[at], fields[at + 2 : at + 3]
        at += 4
        if form == b"g":
            at += fields[at] + 2
        elif form == b"u":
            at += -at % 4
            found[code] = struct.unpack("<I", fields[at : at + 4])[0]
            at += 4
        else:
            at += -at % 4
            size = struct.unpack("<I", fields[at : at + 4])[0]
            found[code] = fields[at + 4 : at + 4 + size].decode()
            at += size + 5
    return head[1], found, body


def connected():
    stream = socket.socket(socket.AF_UNIX)
    stream.connect("/run/dbus/system_bus_socket")
    stream.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
    line = b""
    while b"OK " not in line or not line.endswith(b"\r\n"):
        line += read(stream, 1)
    bus = "org.freedesktop.DBus"
    stream.sendall(call(1, 0, bus, "/org/freedesktop/DBus", bus, "Hello"))
    return stream


def flood(stream, count, flags, member, words):
    said = collections.Counter()
    for serial in range(2, count + 2):
        if member == "Hold":
            message_out = call(serial, flags, NAME, PATH, NAME + ".Control", member, "s", text("flood"))
        else:
            body = asked([word.replace("#", str(serial - 2)) for word in words])
            message_out = call(serial, flags, NAME, PATH, NAME, member, "a{sv}", body)
        stream.sendall(message_out)
        while True:
            kind, fields, _ = message(stream)
            if fields.get(5) == serial:
                break
        said["taken in" if kind == 2 else fields[4].rsplit(".", 1)[-1]] += 1
    print(" ".join(f"{word}={many}" for word, many in sorted(said.items())), flush=True)


def main(count, member="", *words):
    stream = connected()
    if member:
        flood(stream, int(count), 0, member, words)
        return
    flood(stream, int(count), 4, "Submit", ["touch", "/etc/flood-#"])
    while True:
        message(stream)


main(*sys.argv[1:])
