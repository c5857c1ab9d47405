"""Pictures with what spoke for the class that a head gave them drawn over them: mistakes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.evidence import Evidence, drawn
from pipeline.evaluation.page.pictures import PicturedAnswer, encode
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead

MOST = 24


@dataclass(frozen=True)
class EvidencePictures:
    """What the section on evidence shows.

    Attributes:
        answers: The images, mistakes first, as the gallery has them.
        pictures: ``data:`` address of each with its evidence drawn over it, by id.
        note: Why there are none; empty where there are.
    """

    answers: tuple[PicturedAnswer, ...] = ()
    pictures: Mapping[str, str] | None = None
    note: str = ""


def evidence_pictures(
    report: Report,
    head: TrainedHead,
    features: Mapping[str, FeatureSet],
    shown: Mapping[str, np.ndarray],
    answers: Sequence[PicturedAnswer],
    *,
    most: int = MOST,
) -> EvidencePictures:
    """Draws what spoke for the class that each of some images was taken for.

    Args:
        report: The evaluation.
        head: The evaluated head.
        features: The splits by name.
        shown: The pictures as the base sees them, uint8 (size, size, 3), by id.
        answers: The images, the most telling first.
        most: Images that are drawn.

    Raises:
        CacheMismatchError: A row of the features is damaged.
    """
    own = features.get(report.split)
    if own is None or "train" not in features:
        return EvidencePictures(note="The features are no longer there to be looked at.")
    try:
        evidence = Evidence.of(head, features["train"])
    except UsageError as error:
        return EvidencePictures(note=f"{str(error)[:1].upper()}{str(error)[1:]}.")
    pictures = {one.id: shown[one.id] for one in answers[:most] if one.id in shown}
    if not pictures:
        return EvidencePictures(note="The images are no longer there to be drawn on.")
    places = {name: i for i, name in enumerate(own.rows.ids) if own.rows.views[i] == 0 and name in pictures}
    guesses = dict(zip(report.rows.ids, report.probabilities.argmax(axis=1).tolist(), strict=True))
    found = {}
    for name, row in places.items():
        map_of_row = evidence.of_class(own.read(np.array([row]))[0], guesses[name])
        found[name] = encode(drawn(pictures[name], map_of_row))
    return EvidencePictures(tuple(one for one in answers if one.id in found), found)
