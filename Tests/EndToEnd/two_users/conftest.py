"""An installation for two users in place of the usual one."""

import pytest

from support.two_users import TwoUserService


@pytest.fixture
def prepared():
    separated = TwoUserService()
    separated.script("exit 0")
    yield separated
    separated.remove()


@pytest.fixture
def service(prepared):
    return prepared.start()
