"""Verifies an exported audit log and receipts with tlog-scales, a third-party library that shares no code with the service.

    scales.py --vkey KEY --log DIR [--checkpoint FILE]...     the whole export, and that it extends older checkpoints
    scales.py --vkey KEY --receipt FILE...                    one entry

KEY is the verifier key that signed the checkpoint. The program does not follow changes of key. Exit code 0: verified. 1: not,
with the reason. It runs in its own virtual environment, see prepare.sh.
"""

import argparse
import base64
import sys
from pathlib import Path

from tlog_scales import tiles
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, InclusionProof


class Refused(Exception):
    pass


def opened(text: str, vkey: Vkey) -> Checkpoint:
    checkpoint = Checkpoint.from_text(text)
    if checkpoint.origin != vkey.name:
        raise Refused(f"the checkpoint is that of {checkpoint.origin}")
    checkpoint.verify(vkey)
    return checkpoint


def verify_log(folder: Path, vkey: Vkey, older: list[Path]) -> None:
    reader = TilesReader(LocalBackend(folder))
    reader.get_checkpoint()
    head = opened((folder / "checkpoint").read_text(), vkey)
    for index in range(head.size):
        proof = reader.get_inclusion_proof(index, head.size)
        try:
            proof.check(tiles.leaf_hash(reader.get_entry(index)), head.root_hash)
        except Exception as error:
            raise Refused(f"entry {index}: {error}") from error
    for file in older:
        old = opened(file.read_text(), vkey)
        if old.size > head.size:
            raise Refused(f"{file}: has {old.size} entries, the log {head.size}")
        reader.get_consistency_proof(old.size, head.size).check(old.root_hash, head.root_hash)
    print(f"{head.size} entries, extends {len(older)} older checkpoints")


def verify_receipt(file: Path, vkey: Vkey) -> None:
    proof, checkpoint_text = file.read_text().split("\n\n", 1)
    checkpoint = opened(checkpoint_text, vkey)
    header, extra, index, *hashes = proof.split("\n")
    if header != "c2sp.org/tlog-proof@v1" or not extra.startswith("extra ") or not index.startswith("index "):
        raise Refused("not a proof with an entry and an index")
    entry = base64.b64decode(extra.removeprefix("extra "), validate=True)
    path = [base64.b64decode(line, validate=True) for line in hashes]
    inclusion = InclusionProof(int(index.removeprefix("index ")), checkpoint.size, path)
    inclusion.check(tiles.leaf_hash(entry), checkpoint.root_hash)
    print(f"entry {inclusion.leaf_index} of {checkpoint.size}: {entry.decode()}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vkey", required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    parser.add_argument("--receipt", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    vkey = Vkey.from_string(arguments.vkey)
    try:
        if arguments.log:
            verify_log(arguments.log, vkey, arguments.checkpoint)
        for file in arguments.receipt:
            verify_receipt(file, vkey)
    except Exception as error:  # the library documents no exception types
        print(f"REFUSED: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
