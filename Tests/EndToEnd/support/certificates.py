"""A certificate authority for tests."""

import random
import ssl
import subprocess


class Authority:
    """A certificate authority of the tests' own, and one certificate for this machine's names."""

    def __init__(self, folder):
        self.certificate, self.key, self.root = folder / "cert.pem", folder / "cert.key", folder / "root.pem"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        self.openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=Test CA", "-keyout", folder / "root.key",
                     "-out", self.root, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", self.key, "-out", folder / "cert.csr")
        extensions = folder / "cert.ext"
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
        self.openssl("x509", "-req", "-in", folder / "cert.csr", "-CA", self.root, "-CAkey", folder / "root.key",
                     "-days", "30", "-set_serial", str(random.getrandbits(120) | 1), "-extfile", extensions, "-out", self.certificate)
        self.key.chmod(0o600)
        self.context = ssl.create_default_context(cafile=self.root)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
