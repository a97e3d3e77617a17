"""Each test that a document names exists. Without its test a promise is only a sentence."""

import re

import pytest

from support.service import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "security").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
NAMED = re.compile(r"\b((?:\w+/)*[\w+]+\.(?:py|swift))(?:::(\w+))?")
# `file::test`, `file`, or `::test` behind either in the same line
REFERENCE = re.compile(rf"{NAMED.pattern}|(?<=`)::(\w+)")
DOCUMENTS = sorted(page for page in PAGES if NAMED.search(page.read_text()))


def files(name):
    """A file may be named with or without its folders; sources that are no tests may be named as well."""
    base = name.rsplit("/", 1)[-1]
    found = [*ROOT.glob(base), *(path for folder in ("Tests", "Sources", "scripts") for path in (ROOT / folder).rglob(base))]
    return [path for path in found if str(path).endswith(f"/{name}")]


def has(path, test):
    """Python's tests are functions of a module; Swift's carry @Test before `func`, on its line or on those before."""
    text = path.read_text()
    if path.suffix == ".py":
        return re.search(rf"^def {test}\(", text, re.MULTILINE)
    return re.search(rf"@Test\b(?:(?!\bfunc\b).)*\bfunc {test}\(", text, re.DOTALL)


def named(document):
    """Every file that a document names, and the test in it or an empty text."""
    for line in document.read_text().splitlines():
        latest = None
        for name, test, bare in REFERENCE.findall(line):
            latest = name or latest
            yield latest or line, test or bare


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document):
    missing = [(name, test) for name, test in named(document) if not any(not test or has(path, test) for path in files(name))]
    assert not missing


def rows():
    """The rows of all tables whose last column says what proves them."""
    for document in DOCUMENTS:
        proving = False
        for line in document.read_text().splitlines():
            if not line.startswith("|"):
                proving = False
            elif line.rstrip(" |").endswith("proven by"):
                proving = True
            elif proving and not line.startswith("|---"):
                yield line


def test_every_promise_names_its_test():
    found = list(rows())
    assert len(found) > 20
    proofs = [row.rsplit("|", 2)[1].strip() for row in found]
    # Where no test can show it, the document says so and argues.
    assert not [proof for proof in proofs if not NAMED.search(proof) and not proof.startswith("argued: ")]
