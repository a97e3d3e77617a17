"""The package and the release as files: what lintian says, what is in them, whether they come out the same again."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from machine import ROOT, package

pytestmark = [pytest.mark.root, pytest.mark.slow]

RELEASE = ROOT / ".build/release-files"
LIMITS = {"sync-service": 12, "sync-service-run": 12, "sync-runner": 20}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def release():
    assert RELEASE.exists(), "make release makes it"
    return RELEASE


@pytest.fixture(scope="module")
def bill(release):
    return json.loads(next(release.glob("*.cdx.json")).read_text())


def test_lintian():
    done = subprocess.run(["lintian", "--fail-on", "error,warning", package()], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", LIMITS)
def test_exposure(unit):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={LIMITS[unit]}", ROOT / f"config/{unit}.service"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_in_it():
    listed = output("dpkg-deb", "--contents", package()).splitlines()
    modes = {line.split()[5]: (line.split()[0], line.split()[1]) for line in listed}
    assert all(owner == "root/root" for _, owner in modes.values())
    unsafe = [path for path, (mode, _) in modes.items() if "s" in mode.lower()[1:] or mode[8] == "w"]
    assert not unsafe, "no setuid, nothing for all to write"
    control = output("dpkg-deb", "--field", package())
    assert re.search(r"^Depends: .*libsqlite3-0 .*libssl3 ", control, re.M)
    assert "libswift" not in control


@pytest.mark.parametrize("program", ["sync-service", "sync-runner"])
def test_the_programs(program, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", package(), tmp_path], check=True)
    binary = tmp_path / "usr/bin" / program
    dynamic = output("readelf", "--dynamic", binary)
    assert "RUNPATH" not in dynamic and "RPATH" not in dynamic
    assert "PIE" in dynamic and "NOW" in dynamic
    assert "libswift" not in dynamic
    assert str(ROOT).encode() not in binary.read_bytes(), "no path of the machine it was built on"
    assert output("file", "--brief", binary).strip().endswith("stripped") and "not stripped" not in output("file", binary)


def test_the_same_again(release, tmp_path):
    """With another umask, time zone, language and folder."""
    environment = {**os.environ, "TZ": "Asia/Jakarta", "LC_ALL": "C"}
    subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "again", ROOT / "scripts/release.sh", tmp_path / "again"],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    assert digests(tmp_path / "again") == digests(release)


def test_checksums_cover_everything(release):
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True)
    named = {line.split()[1] for line in (release / "SHA256SUMS").read_text().splitlines()}
    assert named | {"SHA256SUMS"} == {path.name for path in release.iterdir()} and len(named) == 3


def test_the_archive_is_the_package(release, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", next(release.glob("*.deb")), tmp_path], check=True)
    archive = next(release.glob("*.tar.gz"))
    top = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as opened:
        members = {member.name.removeprefix(f"{top}/"): member for member in opened if member.isfile()}
        files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
        assert set(members) == set(files)
        for name, member in members.items():
            assert opened.extractfile(member).read() == files[name].read_bytes() and member.uid == member.gid == 0


def test_the_bill_names_the_swift_packages(bill):
    listed = {part["name"]: part["version"] for part in bill["components"] if part["purl"].startswith("pkg:swift/")}
    wanted = dict(re.findall(r'\.package\(url: "https://\S+/(\S+)", exact: "(\S+)"', (ROOT / "Package.swift").read_text()))
    assert len(wanted) >= 6
    assert {name: listed.get(name) for name in wanted} == wanted
    resolved = {pin["identity"]: pin["state"]["version"] for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]}
    assert listed.items() <= resolved.items()
    assert "swift-collections" in listed, "what the packages bring along is there too"
    assert "swift-nio-ssl" not in listed, "BoringSSL is not in the programs"


def test_the_bill_names_the_debian_packages(bill, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", package(), tmp_path], check=True)
    loaded = {Path(path).name for program in ("sync-service", "sync-runner")
              for path in re.findall(r"(/\S+) \(0x", output("ldd", tmp_path / "usr/bin" / program))}
    listed = {part["name"]: part for part in bill["components"] if part["purl"].startswith("pkg:deb/")}
    properties = [field for part in listed.values() for field in part["properties"]]
    provided = [name for field in properties if field["name"] == "provides" for name in field["value"].split()]
    assert sorted(provided) == sorted(loaded) and {"libssl.so.3", "libsqlite3.so.0"} <= loaded
    for name, part in listed.items():
        assert part["version"] == output("dpkg-query", "-W", "-f", "${Version}", name)
    depends = output("dpkg-deb", "--field", package(), "Depends")
    assert {name.split()[0] for name in depends.split(", ")} - {"systemd"} <= set(listed)


def test_the_bill_is_whole(bill):
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(set(references)) == len(references)
    assert bill["dependencies"][0]["dependsOn"] == references
    assert any(part["name"] == "swift-runtime" for part in bill["components"])
