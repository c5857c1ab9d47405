"""What a sweep compares: heads with their options, from grids or from a preset."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pipeline.errors import UsageError, unknown
from pipeline.heads import make_head
from pipeline.heads._core.targets import heads_for
from pipeline.images.targets import described
from pipeline.progress import say
from pipeline.wording import verb

Grid = Mapping[str, Sequence[str]]

_PENALTIES = ("1e-4", "1e-3", "1e-2", "1e-1", "1")
_FAST: tuple[tuple[str, Grid], ...] = (
    ("logreg", {"C": _PENALTIES}),
    ("ridge", {}),
    ("linear-svm", {"C": ("1e-5", "1e-4")}),  # weaker penalties take it ten times as long
    ("knn", {"k": ("1", "5", "20")}),
    ("prototype", {}),
)
_SLOW: tuple[tuple[str, Grid], ...] = (
    ("logreg", {"C": ("1e-5", "10"), "class_weight": ("balanced",)}),
    ("lda", {}),
    ("gaussian-nb", {}),
    ("svm-rbf", {"C": ("1", "10")}),
    ("mlp", {}),
    ("sgd", {}),
    ("random-forest", {}),
    ("hist-gradient-boosting", {}),
    ("dense", {}),
    ("dense-128", {}),
    ("dense-256-128", {}),
    ("gap-softmax", {}),
    ("gap-bn-dense", {}),
)
PRESETS: Mapping[str, tuple[tuple[str, Grid], ...]] = MappingProxyType(
    {"quick": _FAST, "full": _FAST + _SLOW}
)


@dataclass(frozen=True)
class Candidate:
    """A head with some of its options; the others keep their defaults.

    Attributes:
        head: Name in the registry.
        options: Values as text, as on the command line.
    """

    head: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def label(self) -> str:
        """How it is called in a leaderboard, e.g. ``logreg C=0.1``."""
        return " ".join([self.head, *(f"{name}={value}" for name, value in self.options.items())])

    @property
    def key(self) -> str:
        """Twelve hex digits that tell it from every other candidate."""
        return hashlib.sha256(
            json.dumps([self.head, dict(self.options)], sort_keys=True).encode()
        ).hexdigest()[:12]


def candidates(grids: Sequence[tuple[str, Grid]]) -> list[Candidate]:
    """Spans the grids: every combination of the values of each head, checked, in order, without repeats.

    Raises:
        UsageError: There is nothing to compare, or a head, an option or a value does not exist.
    """
    found = {}
    for head, grid in grids:
        for values in itertools.product(*grid.values()):
            candidate = Candidate(head, MappingProxyType(dict(zip(grid, values, strict=True))))
            make_head(candidate.head, candidate.options)  # refuses what it cannot be made of
            found[candidate.key] = candidate
    if not found:
        raise UsageError("nothing to compare: give --head NAME [--grid OPTION=V1,V2,...], or --preset quick")
    return list(found.values())


def preset(name: str) -> list[Candidate]:
    """Returns the candidates of a preset.

    Raises:
        UsageError: There is no such preset.
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return candidates(PRESETS[name])


def learning(chosen: Sequence[Candidate], target: str) -> list[Candidate]:
    """Returns those of a preset whose heads learn a kind of target, and says which do not.

    Args:
        chosen: The candidates.
        target: The kind, see ``FeatureSet.target``.
    """
    able = set(heads_for(target))
    others = dict.fromkeys(one.head for one in chosen if one.head not in able)
    if others:
        say(
            f"note: the preset goes without {', '.join(others)}: {verb(others, 'it does', 'they do')} not "
            f"learn {described(target)}"
        )
    return [one for one in chosen if one.head in able]


def parse_grid(text: str) -> tuple[str, list[str]]:
    """Splits ``C=0.1,1,10`` into the option and its values.

    Raises:
        UsageError: It has another form.
    """
    name, separator, values = text.partition("=")
    if not separator or not name or not all(values.split(",")):
        raise UsageError(f"--grid {text!r} is not OPTION=V1,V2,..., for example `--grid C=0.01,0.1,1`")
    return name, values.split(",")
