"""A witness (https://c2sp.org/tlog-witness) on this machine's loopback, written from the specifications alone.

Usage: witness.py PORT LOG_KEY. Prints its own key first. Remembers what it saw for as long as it runs."""
import base64, hashlib, http.server, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

port, log_key = int(sys.argv[1]), sys.argv[2]
NAME = "witness.example"
secret = Ed25519PrivateKey.generate()
public = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
key_id = hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
log_name, log_id, log_public = log_key.split("+", 2)
log_public = Ed25519PublicKey.from_public_bytes(base64.b64decode(log_public)[1:])
seen = (0, None)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def grew(old, old_root, new, new_root, proof):
    """RFC 9162, section 2.1.4.2."""
    if old == 0 or old == new:
        return not proof and (old == 0 or old_root == new_root)
    if old & (old - 1) == 0:
        proof = [old_root] + proof
    if not proof:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == new_root and sn == 0


def answer(body):
    global seen
    head, note = body.split(b"\n\n", 1)
    old, *proof = head.decode().split("\n")
    old = int(old.removeprefix("old "))
    text, signatures = note.split(b"\n\n", 1)
    text += b"\n"
    origin, size, root = text.decode().split("\n")[:3]
    size, root = int(size), base64.b64decode(root)
    for line in signatures.decode().splitlines():
        _, name, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if (name, blob[:4].hex()) == (log_name, log_id):
            try:
                log_public.verify(blob[4:], text)
                break
            except InvalidSignature:
                return 403, b""
    else:
        return 403, b""
    if old > size:
        return 400, b""
    if old != seen[0]:
        return 409, f"{seen[0]}\n".encode()
    if not grew(old, seen[1], size, root, [base64.b64decode(line) for line in proof]):
        return 422, b""
    seen = (size, root)
    now = int(time.time())
    signature = secret.sign(f"cosignature/v1\ntime {now}\n".encode() + text)
    blob = base64.b64encode(key_id + now.to_bytes(8, "big") + signature).decode()
    return 200, f"\u2014 {NAME} {blob}\n".encode()


class Witness(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.HTTPServer(("127.0.0.1", port), Witness)
print(f"{NAME}+{key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}", flush=True)
server.serve_forever()
