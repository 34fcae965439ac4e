"""Certificates for IKE: a CA, what it issued, what it took back. openssl does the work."""

from pathlib import Path

from .process import run

KEY = {"rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}
CA_CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
default_md = sha256
default_crl_days = 2
crlnumber = {folder}/crl.number
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
"""


class Authority:
    """A CA in FOLDER, with keys of one kind ("rsa" or "ecdsa"). Everything lies there as NAME.crt and NAME.key."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self._kind = kind
        self._issued = 0

    @classmethod
    def make(cls, folder: Path, kind: str, name: str) -> "Authority":
        self = cls(folder, kind)
        folder.mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "crl.number").write_text("01\n")
        (folder / "ca.conf").write_text(CA_CONFIG.format(folder=folder))
        self._key("ca")
        self._openssl("req", "-x509", "-new", "-sha256", "-days", "2", "-key", "ca.key", "-subj", f"/CN={name}", "-out", "ca.crt",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.crl()
        return self

    def issue(self, name: str, alternative: str) -> None:
        """`alternative` is the subject's other name, as openssl writes it: "IP:203.0.113.1"."""
        self._issued += 1
        self._key(name)
        self._openssl("req", "-new", "-sha256", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n")
        self._openssl("x509", "-req", "-sha256", "-days", "2", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                      "-set_serial", str(self._issued), "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def revoke(self, name: str) -> None:
        self._openssl("ca", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.crt", "-revoke", f"{name}.crt")
        self.crl()

    def crl(self) -> None:
        self._openssl("ca", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.crt", "-gencrl", "-out", "ca.crl")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def _key(self, name: str) -> None:
        self._openssl("genpkey", *KEY[self._kind], "-out", f"{name}.key")
        (self.folder / f"{name}.key").chmod(0o600)

    def _openssl(self, *words: str) -> None:
        run(["sh", "-c", 'cd "$0" && exec openssl "$@"', str(self.folder), *words])
