"""docs/MIGRATION.md says what is: its texts are those of the program, its settings exist."""

import re

from harness import ROOT

PAGE = (ROOT / "docs/MIGRATION.md").read_text()
SOURCES = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))


def test_every_text_is_one_of_the_program():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.partition("| text | Indonesian |")[2].partition("\n## ")[0], re.M)
    texts = [row.removeprefix("… ").removesuffix(": …") for row in rows]
    assert len(texts) == 17
    for text in texts:
        # Numbers are filled in.
        before, _, after = re.sub(r"\d+", "\0", text).partition("\0")
        assert before in SOURCES and after in SOURCES, text


def test_every_setting_exists():
    known = re.search(r"static let known: Set<String> = \[(.*?)\]", SOURCES, re.S).group(1)
    for name in set(re.findall(r"\b(?:JWT|SYNC|CORS|ADMIN|TLS)_[A-Z_]+\b", PAGE)):
        assert f'"{name}"' in known, name


def test_an_issuer_that_signs_id_and_username(installed):
    installed.set(JWT_USER_CLAIM="id", JWT_NAME_CLAIM="username", ADMIN_USERS="7,12")
    installed.script("exit 0")
    installed.start()
    answer = installed.run(token=installed.token(sub=None, id=12, username="rina"))
    assert answer.code == 200
    run = installed.request("GET", "/admin/runs/1", token=installed.token(sub=None, id=7, username="budi")).json
    assert (run["user"], run["user_name"]) == ("12", "rina")
