"""Every command in security/AUDIT_FORMAT.md prints what the page shows. Third-party verifiers accept the log that they make."""

import re
import subprocess
from pathlib import Path

from test_verifiers import accepted, go, refused, scales

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "security/AUDIT_FORMAT.md"


def commands():
    """Each command with its continuation lines, and the output printed below it."""
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.split("\n")[:-1]
            more = [line for line in lines[1:] if line.startswith(">")]
            yield "\n".join([lines[0]] + [line[2:] for line in more]), "\n".join(lines[1 + len(more) :])


def test_every_command_gives_what_is_printed(tmp_path):
    expected = list(commands())
    assert len(expected) > 30
    # One shell for all commands, because later ones use the results of earlier ones.
    script = "set -eo pipefail\n" + "".join(f"{command}\necho '--- end'\n" for command, _ in expected)
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    outputs = [output.strip("\n") for output in result.stdout.split("--- end\n")]
    for (command, output), actual in zip(expected, outputs):
        assert actual == output, f"{command}\n{result.stderr}"
    assert len(outputs) == len(expected) + 1, result.stderr

    vkey = re.search(r"^\$ vkey='(.*)'$", DOCUMENT.read_text(), re.MULTILINE)[1]
    for verifier in (go, scales):
        said = accepted(verifier(vkey, "-log", tmp_path / "log", "-checkpoint", tmp_path / "older"))
        assert said.startswith("3 entries")
        accepted(verifier(vkey, "-receipt", tmp_path / "1.tlog-proof"))
        refused(verifier(vkey.replace("95abb4e8", "95abb4e9"), "-receipt", tmp_path / "1.tlog-proof"))
