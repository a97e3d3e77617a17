"""The goals. They are ratios of one run of the benchmark where they can be. A goal that is not reached fails nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from ours import Ours, OursTwoUsers
from peers import Gin, Nginx
from sections.load import CONNECTIONS, connections
from sections.script import PIPE, TITLES


@dataclass
class Goal:
    """`value` takes a comparison and the name of a runner mode; None means that it was not measured."""

    key: str
    text: str
    limit: float
    value: Callable
    at_least: bool = False
    unit: str = ""


@dataclass
class Verdict:
    goal: Goal
    values: list  # one for each runner mode, None where it was not measured

    @property
    def reached(self):
        limit = self.goal.limit
        return all(value >= limit if self.goal.at_least else value <= limit for value in self.values if value is not None)

    def as_json(self):
        return {"goal": self.goal.text, "limit": self.goal.limit, "at_least": self.goal.at_least, "unit": self.goal.unit.strip(),
                "values": dict(zip((Ours.name, OursTwoUsers.name), self.values)), "reached": self.reached}


def times(peer, figure=None):
    """The median of ours divided by that of a peer."""
    return lambda comparison, mode: comparison.median(mode, figure) / comparison.median(peer, figure) if mode in comparison.samples else None


def median(figure=None):
    return lambda comparison, mode: comparison.median(mode, figure)


def derived(name):
    return lambda comparison, mode: comparison.figures.get(f"{mode}, {name}")


def of_the_service(function):
    """What does not depend on the runner mode."""
    return lambda comparison, mode: function(comparison) if mode == Ours.name else None


def worst(figure=None):
    """The largest median of all rows."""
    return of_the_service(lambda comparison: max(value for name in comparison.samples for value in [comparison.median(name, figure)] if value))


def last(comparison):
    return comparison.median(list(comparison.samples)[-1])


def of_requests():
    for transport, limit in ("plain", 1.3), ("tls", 1.2):
        for key, what in [*((f"status-{count}-{transport}", f"status, {connections(count)}") for count in CONNECTIONS),
                          (f"conflict-{transport}", "409")]:
            label = f"{what}, {transport.upper() if transport == 'tls' else transport}"
            yield Goal(key, f"{label} ÷ gin", limit, times(Gin.name), at_least=True)
            yield Goal(key, f"{label}, p99 ÷ gin", 1, times(Gin.name, "p99"))
            if key.startswith("status") and transport == "plain":
                yield Goal(key, f"{label} ÷ nginx", 0.5, times(Nginx.name), at_least=True)


GOALS = [
    *of_requests(),
    Goal("handshake", "full TLS handshakes ÷ nginx", 0.9, times(Nginx.name), at_least=True),
    Goal("run", "run above exec and its syncs", 1.5, derived("above exec and syncs"), unit=" ms"),
    Goal("run", "syncs of a run", 12, derived("syncs")),
    Goal("log-5GB", "log of 5 GB ÷ log of 10 kB", 1.2, derived("of 10 kB")),
    Goal("memory", "idle memory, all processes", 22, median(), unit=" MB"),
    Goal("memory", "idle memory, largest process", 22, median("largest"), unit=" MB"),
    Goal("pages", "slowest page of the large history", 5, worst(), unit=" ms"),
    Goal("pages", "page of the large history ÷ same of the small one, worst", 2, worst("growth")),
    Goal("start-history", "start with the large history", 300, of_the_service(last), unit=" ms"),
    Goal("verification", "verification", 300_000, of_the_service(last), at_least=True, unit=" entries/s"),
    *(Goal(f"script-{situation}", f"sync_fkk_db.sh ÷ pipe, {title}", 0.8, times(PIPE)) for situation, title in TITLES.items()),
]


def verdicts(comparisons):
    """What became of the goals that were measured."""
    by_key = {comparison.key: comparison for comparison in comparisons}
    found = []
    for goal in GOALS:
        comparison = by_key.get(goal.key)
        if comparison:
            found.append(Verdict(goal, [goal.value(comparison, mode) for mode in (Ours.name, OursTwoUsers.name)]))
    return found
