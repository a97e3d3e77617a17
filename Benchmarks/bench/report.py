"""The tables that people read, as Markdown, and the JSON that keeps every sample."""

import json

from ours import Ours, OursTwoUsers

FURTHER = {"p50": "p50 ms", "p99": "p99 ms", "processor": "server µs each", "switches": "switches each",
           "private": "private MB", "largest": "largest process MB",
           "entries": "entries", "rows": "rows", "small": "small ms", "small_rows": "small rows", "growth": "÷ small"}
MARKS = ("<!-- make bench wrote this -->", "<!-- to here -->")
MODES = (Ours.name, OursTwoUsers.name)


def comparison_table(comparison):
    """One row for each contestant: the median, its spread, and how our service compares with it."""
    mine = [name for name in MODES if name in comparison.samples]
    further = [figure for figure in FURTHER if any(comparison.values(name, figure) for name in comparison.samples)]
    rows = [["", f"{comparison.unit} (min–max)", *(f"{name} ÷ it" for name in mine), *(FURTHER[name] for name in further)]]
    for name in comparison.samples:
        values, median = comparison.values(name), comparison.median(name)
        row = [name, f"{number(median)} ({number(min(values))}–{number(max(values))})"]
        row += [f"{comparison.median(own) / median:.2f}" for own in mine]
        row += [number(comparison.median(name, figure)) for figure in further]
        rows.append(row)
    better = {True: ["More is better.", ""], False: ["Less is better.", ""], None: []}[comparison.higher_is_better]
    return "\n".join([f"### {comparison.title}", "", *better, *table(rows), *(f"\n{note}." for note in comparison.notes), ""])


def goal_table(verdicts):
    rows = [["goal", "limit", *MODES, "reached"]]
    for verdict in verdicts:
        limit = f"{'≥' if verdict.goal.at_least else '≤'} {number(verdict.goal.limit)}{verdict.goal.unit}"
        rows.append([verdict.goal.text, limit, *("" if value is None else f"{number(value)}" for value in verdict.values),
                     "yes" if verdict.reached else "no"])
    return "\n".join(["### Goals", "", *table(rows), ""])


def table(rows):
    """A Markdown table whose columns are aligned as text too."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":" for column, width in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def number(value):
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def write_json(path, conditions, comparisons, verdicts):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"conditions": conditions, "goals": [verdict.as_json() for verdict in verdicts],
               "comparisons": [comparison.as_json() for comparison in comparisons]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def fill_document(path, text):
    """Replaces what stands between the two marks of the document."""
    before, begin, rest = path.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        raise RuntimeError(f"{path} lacks the marks {MARKS}")
    path.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")
