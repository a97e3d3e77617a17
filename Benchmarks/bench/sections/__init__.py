"""The sections of the benchmark. Each is a function that takes the Bench and yields one Comparison after the other."""

from sections.calls import calls
from sections.history import history
from sections.idle import idle
from sections.load import handshake, http
from sections.log import log
from sections.run import run

SECTIONS = {section.__name__: section for section in (http, handshake, calls, run, log, idle, history)}
