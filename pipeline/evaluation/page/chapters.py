"""The chapters of the page, one question each, and their sections in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """One question, and the sections that answer it.

    Attributes:
        name: Where links lead.
        question: What a reader asks.
        parts: Name and title of each section; the name is that of its template.
    """

    name: str
    question: str
    parts: tuple[tuple[str, str], ...]


CHAPTERS = (
    Chapter(
        "sound-data",
        "Is the data sound?",
        (
            ("data", "The data"),
            ("leaks", "Leaks between splits"),
        ),
    ),
    Chapter(
        "sound-figure",
        "Is the figure sound?",
        (
            ("figures", "Figures"),
            ("gallery", "Mistakes and doubts"),
            ("thresholds", "Thresholds"),
            ("calibration", "Calibration"),
            ("classes", "Classes"),
            ("confusion", "Confusion matrix"),
            ("all_figures", "All other figures"),
            ("ranking", "Other heads"),
            ("curves", "Learning curves"),
            ("run", "What was run"),
        ),
    ),
    Chapter(
        "looks-at",
        "What does it look at?",
        (
            ("evidence", "What spoke for the answers"),
            ("map", "Map of the features"),
        ),
    ),
    Chapter(
        "would-help",
        "What would help?",
        (("advice", "What to do next"),),
    ),
)
"""A section more is a line here, a template of its name, and what the template shows in ``contents.py``."""

PARTS = tuple(part for chapter in CHAPTERS for part in chapter.parts)
"""All sections in order."""
