"""Pictures of mistakes with what spoke for the wrong class drawn over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.evidence import Evidence, drawn
from pipeline.evaluation.page.pictures import Album, PicturedAnswer, encode
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead


def evidence_pictures(
    report: Report,
    head: TrainedHead,
    features: Mapping[str, FeatureSet],
    album: Album,
    answers: Sequence[PicturedAnswer],
    *,
    size: int,
) -> dict[str, str]:
    """Draws what spoke for the class that each of some images was taken for.

    Returns:
        ``data:`` addresses by id; empty where the features do not tell places apart, or are not there.

    Raises:
        CacheMismatchError: A row of the features is damaged.
    """
    own = features.get(report.split)
    if own is None or "train" not in features or not answers:
        return {}
    try:
        evidence = Evidence.of(head, features["train"])
    except UsageError:
        return {}
    pictures = album.read([one.id for one in answers], size=size, spec=own.spec)
    wanted = set(pictures)
    places = {name: i for i, name in enumerate(own.rows.ids) if own.rows.views[i] == 0 and name in wanted}
    guesses = dict(zip(report.rows.ids, report.probabilities.argmax(axis=1).tolist(), strict=True))
    found = {}
    for name, row in places.items():
        map_of_row = evidence.of_class(own.read(np.array([row]))[0], guesses[name])
        found[name] = encode(drawn(pictures[name], map_of_row))
    return found
