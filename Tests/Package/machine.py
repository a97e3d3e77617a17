"""A Debian 12 of the tests' own: a clean root, and copies of it that are entered (chroot) or booted (systemd-nspawn)."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLEAN = ROOT / ".build/clean-root"
DEADLINE = 60  # seconds; generous, because it only bounds a failure
LEFT = -1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def package():
    found = sorted((ROOT / ".build/release-files").glob("sync-service_*.deb"))
    assert len(found) == 1, "make release makes the package"
    return found[0]


def eventually(condition, what, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def archive():
    """Where this machine has its own packages from."""
    listing = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    for fetched in (False, True):
        if fetched:
            # Nothing is listed before the first update.
            subprocess.run(["apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)
        listed = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
        found = [uri for name, uri in map(str.split, listed.splitlines()) if name == "bookworm"]
        if found:
            return found[0]
    raise AssertionError("no source of Debian 12 (bookworm) in this machine's apt; the tests need one for a clean root")


def clean_root():
    """The smallest Debian 12 that boots; made once."""
    if not CLEAN.exists():
        made = CLEAN.with_name("clean-root.new")
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=systemd-sysv,curl", "bookworm", made, archive()],
            check=True, stdout=subprocess.DEVNULL)
        (made / "etc/hostname").write_text("fresh\n")
        made.rename(CLEAN)
    return CLEAN


def processes_in(folder):
    """Processes whose root is in the folder, by number."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "root") == str(folder):
                yield int(entry.name)
        except OSError:
            continue


class Machine:
    """A copy of the clean root. Commands run in it as root."""

    def __init__(self, folder):
        self.folder = folder / "machine"
        subprocess.run(["cp", "-a", "--reflink=auto", clean_root(), self.folder], check=True)
        shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        self.container = self.init = None

    def path(self, path):
        return self.folder / path.lstrip("/")

    def write(self, path, text, mode=0o644):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)
        self.path(path).chmod(mode)

    # Entered

    def prefix(self, offline):
        if self.init:
            return ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        # A network of its own, so that port 8000 is free.
        alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "alone"] if offline else []
        return [*alone, "unshare", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(self.folder),
                "sh", "-c", 'mount -t proc proc /proc; exec "$@"', "enter"]

    def begin(self, *command, offline=False, **options):
        return subprocess.Popen(
            [*self.prefix(offline), "env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def run(self, *command, code=0, **options):
        """What it printed; fails where it ends otherwise than expected (None: however it ends)."""
        process = self.begin(*command, **options)
        output, _ = process.communicate(timeout=300)
        assert code is None or process.returncode == code, f"{shlex.join(command)}: {process.returncode}\n{output}"
        return output

    def sh(self, text, **options):
        return self.run("bash", "-euo", "pipefail", "-c", text, **options)

    # Booted

    def boot(self):
        # nspawn keeps a folder in /run/systemd and refuses one on a disk, which /run is where no systemd has booted.
        ready = "[ -d /run/systemd/system ] || { mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd; }"
        self.container = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", f'{ready}; exec "$@"', "boot",
             "systemd-nspawn", "--quiet", "--boot", "--directory", self.folder, "--machine", f"sync-{os.getpid()}", "--register=no",
             "--keep-unit", "--private-network", "--resolv-conf=off", "--console=pipe",
             # As on a machine of its own: nspawn's own list is older than Landlock.
             "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.init = eventually(self._find_init, "systemd-nspawn has started its init")
        if self.init == LEFT:
            # Before anything of ours is on it: not the package's fault.
            pytest.skip("NOT RUN: systemd-nspawn boots no machine here; it needs control groups it may write")
        eventually(lambda: self.run("systemctl", "is-system-running", code=None).strip() in ("running", "degraded"), "it has booted")
        return self

    def _find_init(self):
        if self.container.poll() is not None:
            return LEFT
        children = Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split()
        return next((int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), None)

    def power_off(self):
        if self.container is None:
            return
        if self.container.poll() is None:
            self.run("systemctl", "poweroff", code=None)
        try:
            self.container.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.container.kill()
            self.container.wait()
            raise AssertionError("the machine did not power off") from None
        finally:
            self.container = self.init = None

    # The package

    def fetch_dependencies(self):
        """What apt will want, into its cache: a booted machine has no network but its own loopback."""
        self.receive(package())
        self.sh("apt-get update -q && apt-get install -q -y --no-install-recommends --download-only "
                f"/root/{package().name} sqlite3 logrotate")

    def receive(self, file):
        shutil.copy(file, self.path("/root") / file.name)
        return f"/root/{file.name}"

    def install(self, file=None):
        return self.run("apt-get", "install", "-q", "-y", "--no-install-recommends", self.receive(file or package()))

    def script(self, body):
        self.write("/opt/sync/sync.sh", f"#!/bin/bash\n{body}\n", 0o755)

    def name_script(self, path="/opt/sync/sync.sh"):
        settings = self.path("/etc/sync-service/script.env")
        settings.write_text(settings.read_text().replace(
            "#SYNC_SCRIPT_PATH=/opt/bea-cukai-app/sync_fkk_db.sh", f"SYNC_SCRIPT_PATH={path}"))

    def request(self, method, path, role="admin"):
        return ["bash", "-euo", "pipefail", "-c",
                f'curl -sS -X {method} -H @- http://127.0.0.1:8000{path} '
                f'<<<"Authorization: Bearer $(sync-service token --user budi --role {role})"']

    def ask(self, method, path, **options):
        return self.run(*self.request(method, path, **options))


def higher_version(folder):
    """The package again, as of a later release."""
    unpacked = folder / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", package(), unpacked], check=True)
    control = unpacked / "DEBIAN/control"
    version = next(line for line in control.read_text().splitlines() if line.startswith("Version: "))
    control.write_text(control.read_text().replace(version, version + "+later"))
    made = folder / "later.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", unpacked, made], check=True, stdout=subprocess.DEVNULL)
    return made
