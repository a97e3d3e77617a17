"""Third-party verifiers accept our exports and refuse every attack on them.

The tests need the samples that `swift test` leaves in .build/audit-sample, and the verifiers that prepare.sh builds.
"""

import base64
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / ".build"
SAMPLES = BUILD / "audit-sample"


def go(vkey, *arguments):
    return run(BUILD / "verifiers/verify", "-vkey", vkey, *arguments)


def scales(vkey, *arguments):
    arguments = [str(a).replace("-", "--", 1) if str(a).startswith("-") else a for a in arguments]
    return run(BUILD / "verifiers/python/bin/python", HERE / "scales.py", "--vkey", vkey, *arguments)


def openssl(vkey, checkpoint):
    return run(HERE / "openssl.sh", vkey, checkpoint)


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


@pytest.fixture(params=[go, scales])
def verifier(request):
    return request.param


@pytest.fixture
def sample(tmp_path):
    """A copy of the plain sample, for a test to change."""
    assert SAMPLES.is_dir(), "run swift test first: it writes the samples"
    return Path(shutil.copytree(SAMPLES / "plain", tmp_path / "plain"))


def vkey(folder, name="vkey"):
    return (folder / name).read_text()


def accepted(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result):
    assert result.returncode == 1, result.stdout
    assert "REFUSED" in result.stderr
    return result.stderr


def test_the_export_is_accepted(verifier, sample):
    said = accepted(verifier(vkey(sample), "-log", sample / "log", "-checkpoint", sample / "older-checkpoint"))
    assert said.startswith("600 entries")
    assert "extends 1 older checkpoints" in said


def test_every_receipt_is_accepted(verifier, sample):
    receipts = sorted((sample / "receipts").iterdir())
    assert len(receipts) == 4
    for receipt in receipts:
        said = accepted(verifier(vkey(sample), "-receipt", receipt))
        assert said.startswith(f"entry {receipt.stem} of 600: " + '{"at":"')
        assert len(said.splitlines()) == 1


def test_a_change_of_key(sample):
    folder = SAMPLES / "rotated"
    said = accepted(go(vkey(folder), "-log", folder / "log", "-checkpoint", folder / "older-checkpoint"))
    assert "1 changes of key" in said
    accepted(scales(vkey(folder, "vkey-now"), "-log", folder / "log"))
    for verifier in (go, scales):
        for receipt in (folder / "receipts").iterdir():
            accepted(verifier(vkey(folder, "vkey-now"), "-receipt", receipt))
            refused(verifier(vkey(folder), "-receipt", receipt))


def test_openssl_alone_verifies_a_checkpoint(sample, tmp_path):
    checkpoint = sample / "log/checkpoint"
    accepted(openssl(vkey(sample), checkpoint))
    accepted(openssl(vkey(sample), sample / "older-checkpoint"))
    assert openssl(vkey(SAMPLES / "rotated", "vkey-now"), checkpoint).returncode == 1
    text = checkpoint.read_bytes()
    for damaged in (text.replace(b"\n600\n", b"\n601\n"), text.replace(b"log.example", b"log.exbmple", 1)):
        assert damaged != text
        checkpoint.write_bytes(damaged)
        assert openssl(vkey(sample), checkpoint).returncode == 1


def bundle(folder, number="000"):
    path = folder / "log/tile/entries" / number
    data, entries = path.read_bytes(), []
    while data:
        size = struct.unpack(">H", data[:2])[0]
        entries.append(data[2 : 2 + size])
        data = data[2 + size :]
    return path, entries


def write_bundle(path, entries):
    path.write_bytes(b"".join(struct.pack(">H", len(entry)) + entry for entry in entries))


def edit_user(folder):
    path, entries = bundle(folder)
    entries[77] = entries[77].replace(b'"user":"ana"', b'"user":"eva"')
    write_bundle(path, entries)


def edit_time(folder):
    path, entries = bundle(folder, "002.p/88")
    entries[3] = entries[3].replace(b"2025", b"2024")
    write_bundle(path, entries)


def delete_an_entry(folder):
    path, entries = bundle(folder)
    del entries[77]
    write_bundle(path, entries)


def swap_two_entries(folder):
    path, entries = bundle(folder)
    entries[10], entries[20] = entries[20], entries[10]
    write_bundle(path, entries)


def insert_a_backdated_entry(folder):
    path, entries = bundle(folder)
    write_bundle(path, entries[:30] + [entries[5]] + entries[31:])


def cut_a_bundle(folder):
    path, _ = bundle(folder, "001")
    path.write_bytes(path.read_bytes()[:-1])


def remove_a_bundle(folder):
    bundle(folder, "001")[0].unlink()


def turn_a_bit(name, place):
    def turn(folder):
        path = folder / "log" / name
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    turn.__name__ = f"turn_a_bit_of_{name}_at_{place}".replace("/", "_")
    return turn


def edit_the_entry_and_its_hash(folder):
    edit_user(folder)
    path = folder / "log/tile/0/000"
    data = bytearray(path.read_bytes())
    import hashlib

    data[77 * 32 : 78 * 32] = hashlib.sha256(b"\0" + bundle(folder)[1][77]).digest()
    path.write_bytes(data)


@pytest.mark.parametrize(
    "attack",
    [
        edit_user, edit_time, delete_an_entry, swap_two_entries, insert_a_backdated_entry, cut_a_bundle, remove_a_bundle,
        edit_the_entry_and_its_hash,
        turn_a_bit("tile/0/000", 0), turn_a_bit("tile/0/001", 8191), turn_a_bit("tile/0/002.p/88", 87 * 32),
        turn_a_bit("tile/1/000.p/2", 32), turn_a_bit("checkpoint", 0), turn_a_bit("checkpoint", 25),
        turn_a_bit("checkpoint", 40), turn_a_bit("checkpoint", 120),
    ],
    ids=lambda attack: attack.__name__,
)
def test_an_attack_without_the_key(verifier, sample, attack):
    attack(sample)
    refused(verifier(vkey(sample), "-log", sample / "log"))


@pytest.mark.parametrize("name", ["cut-off", "signed-anew", "replaced"])
def test_an_attack_with_the_key(verifier, name):
    """A history that is signed anew is consistent. Only an older checkpoint reveals the change."""
    folder = SAMPLES / name
    accepted(verifier(vkey(folder), "-log", folder / "log"))
    refused(verifier(vkey(folder), "-log", folder / "log", "-checkpoint", folder / "older-checkpoint"))


def test_another_key(verifier, sample):
    other = vkey(SAMPLES / "rotated", "vkey-now")
    refused(verifier(other, "-log", sample / "log"))
    refused(verifier(other, "-receipt", sample / "receipts/300.tlog-proof"))


def test_damaged_receipts(verifier, sample):
    receipt = sample / "receipts/300.tlog-proof"
    original = receipt.read_bytes()
    lines = original.split(b"\n")
    other = (sample / "receipts/599.tlog-proof").read_bytes().split(b"\n")
    forged = base64.b64encode(base64.b64decode(lines[1][6:]).replace(b"ana", b"eva"))
    for damaged in (
        original.replace(b"index 300", b"index 301"),
        original.replace(lines[1][6:], forged),
        original.replace(lines[5], other[5]),
        original.replace(lines[5] + b"\n", b""),
        b"\n".join(other[:2] + lines[2:]),
        original.replace(b"\n600\n", b"\n599\n"),
    ):
        assert damaged != original
        receipt.write_bytes(damaged)
        refused(verifier(vkey(sample), "-receipt", receipt))
