"""Third-party verifiers. Tests/Verifiers/prepare.sh builds them."""

import subprocess

from support.service import ROOT

VERIFIERS = ROOT / "Tests/Verifiers"
BUILT = ROOT / ".build/verifiers"


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def go(vkey, *arguments):
    return run(BUILT / "verify", "-vkey", vkey, *arguments)


def scales(vkey, *arguments):
    arguments = [f"-{part}" if str(part).startswith("-") else part for part in arguments]
    return run(BUILT / "python/bin/python", VERIFIERS / "scales.py", "--vkey", vkey, *arguments)


def openssl(vkey, checkpoint):
    return run(VERIFIERS / "openssl.sh", vkey, checkpoint)


def accepted(result):
    assert result.returncode == 0, result
    return result.stdout


def refused(result):
    assert result.returncode == 1 and "REFUSED" in result.stderr, result


def vkey_of(service):
    return service.command("audit", "vkey").stdout.strip()


def export(service, name="export"):
    folder = service.folder / name
    done = service.command("audit", "export", folder)
    assert done.returncode == 0, done
    return folder
