"""A time-stamp authority (RFC 3161 over HTTP) on this machine's loopback: openssl does all of it.

Usage: authority.py PORT DIRECTORY. Makes a CA and a signing certificate in DIRECTORY (ca.pem is the one to trust)."""
import http.server, pathlib, subprocess, sys

port, here = int(sys.argv[1]), pathlib.Path(sys.argv[2])
here.mkdir(parents=True, exist_ok=True)
(here / "tsa.cnf").write_text(f"""
[tsa]
default_tsa = one
[one]
serial = {here}/serial
signer_cert = {here}/tsa.pem
signer_key = {here}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
""")
(here / "serial").write_text("01\n")


def openssl(*words):
    subprocess.run(["openssl", *words], cwd=here, check=True, capture_output=True)


openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA")
openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test TSA")
openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem",
        "-extfile", "tsa.cnf", "-extensions", "ext", "-days", "2")


class Authority(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        (here / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
        body = (here / "reply").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.HTTPServer(("127.0.0.1", port), Authority)
print("ready", flush=True)
server.serve_forever()
