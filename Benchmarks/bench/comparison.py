"""A comparison: the samples of each contestant, taken in turns, so that what else the machine does falls on all of them."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Comparison:
    """One table. A sample is a dictionary of figures; `figure` names the one that is compared. Where neither more nor less is
    better, `higher_is_better` is None.
    """

    key: str
    title: str
    unit: str
    figure: str = "value"
    higher_is_better: bool | None = False
    samples: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    # Derived from the medians, by name.
    figures: dict = field(default_factory=dict)

    def add(self, name, sample):
        self.samples.setdefault(name, []).append(sample)

    def values(self, name, figure=None):
        figure = figure or self.figure
        return [sample[figure] for sample in self.samples.get(name, ()) if figure in sample]

    def median(self, name, figure=None):
        """The median of a figure, None where the contestant has no such figure."""
        values = self.values(name, figure)
        return statistics.median(values) if values else None

    def as_json(self):
        medians = {name: {figure: self.median(name, figure) for figure in samples[0]} for name, samples in self.samples.items()}
        return {"key": self.key, "title": self.title, "unit": self.unit, "figure": self.figure,
                "higher_is_better": self.higher_is_better, "medians": medians, "samples": self.samples, "notes": self.notes,
                "figures": self.figures}
