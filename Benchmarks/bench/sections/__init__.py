"""The sections of the benchmark. Each is a function that takes the Bench and yields one Comparison after the other."""

from sections.calls import calls
from sections.history import history
from sections.idle import idle
from sections.load import handshake, http
from sections.log import log
from sections.profile import profile
from sections.run import run
from sections.script import script

SECTIONS = {section.__name__: section for section in (http, handshake, calls, run, log, idle, history, script, profile)}
DEFAULT = [name for name in SECTIONS if name != "profile"]  # which needs perf and symbols
