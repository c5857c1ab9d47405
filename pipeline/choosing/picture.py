"""The picture of a choice: accuracy, or what else was chosen by, against the seconds that an image takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from pipeline.choosing.record import Tried
from pipeline.heads._core.target_figures import ACCURACY, IN_WORDS
from pipeline.wording import counted, readable

if TYPE_CHECKING:
    from pipeline.choosing.record import Choice

CHOSEN, OTHER, PALE = "#08519c", "#6b7785", "#b6bec8"
MOST_OF_LABEL = 50
"""Characters of the chosen head: an ensemble names all its members."""
Place = tuple[str, int, str]


def draw_choice(choice: Choice, file: BinaryIO) -> None:
    """Draws the best head of each cut with its interval, and the quick scores of cuts that got no head."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for one in (one for one in best_of_cuts(choice.tried) if one.image_s):
        is_chosen = one.head == choice.trained.name and _place(one) == _chosen_place(choice)
        colour = CHOSEN if is_chosen else OTHER if one.head else PALE
        x, y = 1000 * (one.image_s or 0.0), one.score or 0.0
        if one.interval is not None:
            axes.plot([x, x], one.interval, color=colour, linewidth=1.5)
        axes.plot([x], [y], "o", color=colour, markerfacecolor=colour if one.head else "white")
        label = f"{one.backbone} {one.image_size} {one.layer}" + (
            f"\n{readable(one.label, MOST_OF_LABEL)}" if is_chosen else ""
        )
        note = axes.annotate(label, (x, y), (5, 3), textcoords="offset points", size=7, parse_math=False)
        note.set_in_layout(False)  # it would squeeze the axes
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())  # ten figures a decade would overlap
    axes.set_xlabel("milliseconds an image, on this machine")
    with_interval = ", with its 95 % interval" if choice.figure == ACCURACY else ""
    axes.set_ylabel(IN_WORDS[choice.figure] + with_interval)
    images = counted(len(choice.tried), "trial")
    axes.set_title(
        f"{choice.trained.dataset}: {images}; filled: the best head of a cut on val; hollow: quick scores",
        loc="left",
        size=9,
        parse_math=False,
    )
    axes.grid(color="#e3e6ea")
    axes.set_axisbelow(True)
    axes.margins(x=0.15)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(file, format="png")


def best_of_cuts(tried: Sequence[Tried]) -> list[Tried]:
    """Returns the best of each cut, a head where there is one, else its quick score; the best first."""
    best: dict[Place, Tried] = {}
    for one in tried:
        if one.score is not None:
            other = best.get(_place(one))
            best[_place(one)] = one if other is None else max(one, other, key=_worth)
    return sorted(best.values(), key=_worth, reverse=True)


def _worth(one: Tried) -> tuple[bool, float, float]:
    return bool(one.head), one.score or 0.0, -(one.loss or 0.0)


def _place(one: Tried) -> Place:
    return one.backbone, one.image_size, one.layer


def _chosen_place(choice: Choice) -> Place:
    contender = choice.found.contender
    return contender.base.backbone, contender.image_size, choice.layer
