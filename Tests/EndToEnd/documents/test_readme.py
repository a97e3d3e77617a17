"""README's table of answers has every route that the program offers."""

import re

import pytest

from support.routes import ROUTES
from support.service import ROOT

TABLE = (ROOT / "README.md").read_text().split("## The answers", 1)[1].split("## ", 1)[0]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_in_the_table_of_answers(route):
    assert re.search(rf"`(?:{route.method} )?{re.escape(route.path)}`", TABLE)
