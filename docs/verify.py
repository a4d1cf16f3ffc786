#!/usr/bin/python3
"""A second verifier of Countersign's audit log, made from docs/audit-format.md alone.

usage: verify.py LOG... [[CHECKPOINT] KEY]
       verify.py --proof PROOF KEY            PROOF: of `countersign audit prove`, with its record
       LOG: a database without -wal file, segments in order, or an export
       CHECKPOINT: a signed checkpoint that was kept      KEY: the log's key, as name+id+base64
"""
import base64, hashlib, json, os, sqlite3, sys
from cryptography.exceptions import InvalidSignature
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
def lines_of(lines):                       # of an export: a checkpoint, or number, hash, body and salt; another line has no hash
    for line in lines:
        body, leaf = line[8:-75], sha(b"\0", line[8:-75])
        if line.startswith(b'{"note":'): yield json.loads(line)["note"]
        else: yield None, leaf if line == b'{"body":%b,"hash":"%b"}' % (body, leaf.hex().encode()) else None, body, ...
def rows_of(db):                           # of a database, each checkpoint behind the last entry that it speaks of
    notes = [(size, note if number == place else f"number {place} is missing") for place, (number, size, note)
             in enumerate(db.execute("SELECT number, size, note FROM checkpoints ORDER BY number"), 1)]
    for row in db.execute("SELECT coalesce(e.seq, o.seq), hash, body, salt FROM entries e FULL JOIN openings o ON e.seq = o.seq ORDER BY 1"):
        while notes and notes[0][0] < row[0]: yield notes.pop(0)[1]
        yield row
    yield from (note for _, note in notes)
def is_log(path): return open(path, "rb").read(16).startswith((b"SQLite format 3", b'{"base":'))
def log(path):                             # its base, its checkpoints and entries, and the (seq, hash) that it ends with
    if open(path, "rb").read(1) == b"{":
        lines = (line[:-1] for line in open(path, "rb") if line.endswith(b"\n") or sys.exit("torn: the last line"))
        first = json.loads(next(lines))
        if (first["format"], first["v"]) != ("countersign-log", 1): raise ValueError("another form")
        base = first["base"]
        return base["seq"], hexa(base["hash"]), [hexa(peak) for peak in base["peaks"]], base["note"], lines_of(lines), None
    if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"): sys.exit(f"{path} has more in its -wal file: make a copy with VACUUM INTO, or an export")
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    (seq, last, peaks, note), = db.execute("SELECT seq, hash, peaks, note FROM base")
    return seq, last, [peaks[at:at + 32] for at in range(0, len(peaks), 32)], note, rows_of(db), db.execute("SELECT seq, hash FROM head").fetchone()
def read(path): return open(path, encoding="utf-8").read().strip("\r\n ") + "\n"
def signed(note, key):                     # size and root, and the key from there on; without a key no signature is checked
    text, signatures = note.rsplit("\n\n", 1)
    origin, size, head, *more = text.split("\n")
    if key is None: return int(size), base64.b64decode(head), None
    name, number, public = key.strip().split("+", 2)
    for line in signatures.splitlines():
        _, signer, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if signer == name == origin and raw[:4].hex() == number:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:]).verify(raw[4:], (text + "\n").encode())
            return int(size), base64.b64decode(head), next((line[9:] for line in more if line.startswith("next-key ")), key)
    raise ValueError("it is not signed by this key")
def verify(paths, trusted, key):
    known, count, last, peaks, begun, vouched, notes, beyond, times, first = key, 0, bytes(32), [], False, 0, [], 0, [], 0
    def bad(seq, rule): sys.exit(f"entry {seq} breaks the rule {rule}")
    def compare(size, head):               # what is signed by somebody who is known
        nonlocal vouched
        if head != root(peaks): bad(min(max(vouched, first), count) + 1, f"checkpoint: it, or an entry up to {count}, was changed")
        if key: vouched, times[:] = size, []
    def checkpoint(note):
        nonlocal beyond, known
        try: size, head, after = signed(note, known)
        except (ValueError, InvalidSignature) as error: bad(min(max(vouched, first), count) + 1, f"checkpoint: the one after entry {count}: {error}")
        if note in notes or size < count or beyond and size == count: bad(count + 1, f"checkpoint: one over {size} entries is there twice, or in a wrong place")
        if size == count: compare(size, head)
        beyond, known = size if size > count else 0, after
        notes.append(note)
    def walk(path):
        nonlocal count, last, peaks, begun, first
        seq, before, tops, note, items, end = log(path)
        bits = [1 << bit for bit in reversed(range(64)) if seq >> bit & 1]
        if begun and (seq, before, tops) != (count, last, [peak for _, peak in peaks]): bad(count + 1, "base")
        if not begun and trusted and trusted[0] < seq: sys.exit("the checkpoint is older than what is here")
        count, last, peaks = seq, before, list(zip(bits, tops))
        if bool(seq) != bool(note) or begun and notes[-1:] != [note][:seq]: bad(count + 1, "checkpoint: base.note is not the one over what is continued")
        if not begun: begun, first = True, seq
        if note not in notes: checkpoint(note) if note else None
        if trusted and trusted[0] == count: compare(*trusted[:2])
        for item in items:
            if isinstance(item, str):
                checkpoint(item)
                continue
            number, leaf, body, salt = item
            if body is None: bad(count + 1, f"opening: one for entry {number}, which is not here")
            if number not in (None, count + 1): bad(count + 1, "sequence")
            if not isinstance(body, bytes) or sha(b"\0", body) != leaf: bad(count + 1, "hash")
            record = json.loads(body)
            if json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() != body: bad(count + 1, "form")
            if record["v"] != 1 or record["seq"] != count + 1: bad(count + 1, "sequence")
            if record["prev"] != last.hex(): bad(count + 1, "chain")
            if beyond: bad(count + 1, f"checkpoint: one over {beyond} entries stands here")
            if salt is not ... and (salt is not None and len(salt)) != ("commitment" in record and 16): bad(count + 1, "opening")
            grow(peaks, leaf)
            count, last, notes[:] = count + 1, leaf, []
            if key: times.append(record["time"])
            if trusted and trusted[0] == count: compare(*trusted[:2])
        if beyond: bad(count + 1, f"checkpoint: {beyond} entries were signed and {count} are here, cut after entry {count}")
        if end and end != (count, last): bad(min(end[0], count) + (end[0] != count), "head")
    for path in paths:
        try: walk(path)
        except (ValueError, LookupError, TypeError, RecursionError, StopIteration, sqlite3.Error) as error: bad(count + 1, f"readable: {error}")
    if trusted and trusted[0] > count: bad(count + 1, f"checkpoint: {trusted[0]} entries were signed and {count} are here, cut after entry {count}")
    due = len(times) > 1024 or times and times[-1] - times[0] > 70_000 or len(times) > 64 and times[-1] - times[63] > 10_000
    if key and (due or not vouched): sys.exit(f"not vouched for: the last {count - vouched} of {count} entries, over which a checkpoint was due")
    says = f"the first {vouched} as signed" if key else "not checked against any signature"
    print(f"ok ({count} entries, head {last.hex()}, root {root(peaks).hex()}), {says}")
def prove(path, key):                      # RFC 9162, section 2.1.3.2
    lines, note = open(path, encoding="utf-8").read().split("\n\n", 1)
    form, extra, index, *hashes = lines.split("\n")
    record, number, (size, head, _) = base64.b64decode(extra.removeprefix("extra ")), int(index.removeprefix("index ")), signed(note, key)
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
others = [arguments.pop() for _ in range(2) if len(arguments) > 1 and arguments[0] != "--proof" and not is_log(arguments[-1])]
key = read(others[0]) if others else None
try:
    if len(arguments) == 3 and arguments[0] == "--proof": prove(arguments[1], read(arguments[2]))
    elif arguments: verify(arguments, signed(read(others[1]), key) if len(others) == 2 else None, key)
    else: sys.exit(__doc__)
except (ValueError, InvalidSignature) as error: sys.exit(f"the proof or checkpoint does not hold: {error or 'its signature is wrong'}")
