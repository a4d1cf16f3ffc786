#!/usr/bin/python3
"""A second verifier of Countersign's audit log, made from docs/audit-format.md alone.

usage: verify.py LOG... [CHECKPOINT KEY]
       verify.py --proof PROOF KEY            PROOF: of `countersign audit prove`, with its record
       LOG: a database without -wal file, segments in order, or an export
       CHECKPOINT: a signed checkpoint that was kept      KEY: the log's key, as name+id+base64
"""
import base64, hashlib, json, os, sqlite3, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sha, hexa = lambda *parts: hashlib.sha256(b"".join(parts)).digest(), bytes.fromhex
def root(peaks):
    if not peaks: return sha()
    found = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]): found = sha(b"\1", peak, found)
    return found
def grow(peaks, leaf):                     # peaks: (size, hash) of complete subtrees, largest first
    peaks.append((1, leaf))
    while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
        (size, right), (_, left) = peaks.pop(), peaks.pop()
        peaks.append((2 * size, sha(b"\1", left, right)))
def entries(lines):                        # of an export; a line of another form has no hash
    for line in lines:
        body, leaf = line[8:-75], sha(b"\0", line[8:-75])
        if not line.startswith(b'{"note":'): yield None, leaf if line == b'{"body":%b,"hash":"%b"}' % (body, leaf.hex().encode()) else None, body
def is_log(path): return open(path, "rb").read(16).startswith((b"SQLite format 3", b'{"base":'))
def log(path):                             # its base, its (seq, hash, body), and the (seq, hash) that it ends with
    if open(path, "rb").read(1) == b"{":
        lines = (line[:-1] for line in open(path, "rb") if line.endswith(b"\n") or sys.exit("torn: the last line"))
        first = json.loads(next(lines))
        if (first["format"], first["v"]) != ("countersign-log", 1): raise ValueError("another form")
        base = first["base"]
        return base["seq"], hexa(base["hash"]), [hexa(peak) for peak in base["peaks"]], entries(lines), None
    if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"): sys.exit(f"{path} has more in its -wal file: make a copy with VACUUM INTO, or an export")
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    (seq, last, peaks), = db.execute("SELECT seq, hash, peaks FROM base")
    rows = db.execute("SELECT seq, hash, body FROM entries ORDER BY seq")
    return seq, last, [peaks[at:at + 32] for at in range(0, len(peaks), 32)], rows, db.execute("SELECT seq, hash FROM head").fetchone()
def checkpoint(path, key): return signed(open(path, encoding="utf-8").read(), key)
def signed(note, key):                     # the size and root that the key has signed
    text, signatures = note.rsplit("\n\n", 1)
    name, number, public = open(key).read().strip().split("+", 2)
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if signer == name and raw[:4].hex() == number:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:]).verify(raw[4:], (text + "\n").encode())
            origin, size, head = text.split("\n")[:3]
            if origin == name: return int(size), base64.b64decode(head)
    sys.exit("the checkpoint is not signed by this key")
def verify(paths, trusted):
    count, last, peaks, begun = 0, bytes(32), [], False
    def bad(seq, rule): sys.exit(f"entry {seq} breaks the rule {rule}")
    def compare():
        if trusted and trusted[0] == count and trusted[1] != root(peaks): bad(1, f"checkpoint: an entry up to {count} was changed")
    def read(path):
        nonlocal count, last, peaks, begun
        seq, before, tops, rows, head = log(path)
        bits = [1 << bit for bit in reversed(range(64)) if seq >> bit & 1]
        if begun and (seq, before, tops) != (count, last, [peak for _, peak in peaks]): bad(count + 1, "base")
        if not begun and trusted and trusted[0] < seq: sys.exit("the checkpoint is older than what is here")
        count, last, peaks, begun = seq, before, list(zip(bits, tops)), True
        compare()
        for number, leaf, body in rows:
            if number not in (None, count + 1): bad(count + 1, "sequence")
            if not isinstance(body, bytes) or sha(b"\0", body) != leaf: bad(count + 1, "hash")
            record = json.loads(body)
            if json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() != body: bad(count + 1, "form")
            if record["v"] != 1 or record["seq"] != count + 1: bad(count + 1, "sequence")
            if record["prev"] != last.hex(): bad(count + 1, "chain")
            grow(peaks, leaf)
            count, last = count + 1, leaf
            compare()
        if head and head != (count, last): bad(min(head[0], count) + (head[0] != count), "head")
    for path in paths:
        try: read(path)
        except (ValueError, LookupError, TypeError, RecursionError, StopIteration, sqlite3.Error) as error: bad(count + 1, f"readable: {error}")
    if trusted and trusted[0] > count: bad(count + 1, f"checkpoint: {trusted[0]} entries were signed and {count} are here")
    print(f"ok ({count} entries, head {last.hex()}, root {root(peaks).hex()})")
def prove(path, key):                      # RFC 9162, section 2.1.3.2
    lines, note = open(path, encoding="utf-8").read().split("\n\n", 1)
    form, extra, index, *hashes = lines.split("\n")
    record, number, (size, head) = base64.b64decode(extra.removeprefix("extra ")), int(index.removeprefix("index ")), signed(note, key)
    first, last, found = number, size - 1, sha(b"\0", record)
    for one in map(base64.b64decode, hashes):
        if last == 0: sys.exit("not proven: too many hashes")
        if first & 1 or first == last:
            found = sha(b"\1", one, found)
            while first and not first & 1: first, last = first >> 1, last >> 1
        else: found = sha(b"\1", found, one)
        first, last = first >> 1, last >> 1
    if last or number >= size or found != head: sys.exit("not proven: the record is not at that place of the log")
    print(f"proven: entry {number + 1} of {size} is {record.decode()}")
arguments = sys.argv[1:]
if len(arguments) == 3 and arguments[0] == "--proof": prove(*arguments[1:])
elif len(arguments) >= 3 and not is_log(arguments[-1]): verify(arguments[:-2], checkpoint(*arguments[-2:]))
elif arguments: verify(arguments, None)
else: sys.exit(__doc__)
