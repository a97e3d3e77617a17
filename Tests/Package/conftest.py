"""These tests make users, mounts and process namespaces of their own: they need root."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            if "Package" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="NOT RUN: needs root"))
