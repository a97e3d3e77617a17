"""The documents find each other: every link leads to a file and a heading, and the indexes are complete."""

import re

import pytest

from support.service import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("security/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    broken = []
    for file, anchor in LINK.findall(document.read_text()):
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{file}#{anchor}")
    assert not broken


def test_the_list_of_decisions_is_complete():
    folder = ROOT / "docs/decisions"
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    listed = re.findall(r"^\* \[(\d{4})\]\((.+)\) (.+)$", (folder / "README.md").read_text(), re.M)
    assert listed == [(path.name[:4], path.name, path.read_text().split("\n")[0].partition(": ")[2]) for path in decisions]
    for path in decisions:
        assert re.findall(r"^## (.+)$", path.read_text(), re.M) == ["Context", "Decision", "Consequences"], path.name


def test_the_index_lists_every_document():
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / file).resolve() for file, _ in LINK.findall(index)}
    assert not [path for path in DOCUMENTS if path.parent.name != "decisions" and path.name != "README.md" and path not in linked]
