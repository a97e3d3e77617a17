"""Cancelling a run by the admin API."""

from support.service import admin

CANCELLED = "Failed to execute sync script: cancelled by an administrator"


def cancel(service, run=1):
    return admin(service, "POST", f"/admin/runs/{run}/cancel")


def is_accepted(answer):
    answer.is_json(202, answer.text)
    assert list(answer.json) == ["status", "message"], answer
