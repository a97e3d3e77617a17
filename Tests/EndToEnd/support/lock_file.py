"""The script's lock file, looked at and removed by the admin API."""

import json

from support.service import admin

REASON = json.dumps({"reason": "the machine lost power; checked with the DBA"})


def lock(service):
    answer = admin(service, "GET", "/admin/lock")
    assert answer.code == 200, answer
    assert list(answer.json) == ["lease_held", "holder", "lock_file", "script_process", "processes"]
    return answer.json


def clear(service, body=REASON):
    return admin(service, "POST", "/admin/lock/clear", body=body)
