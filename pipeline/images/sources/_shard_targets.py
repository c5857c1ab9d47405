"""What labels in tar shards stand for where they are no classes: several labels, or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._sample_labels import MemberPlace
from pipeline.images.sources._table_targets import GivenLabels, nothing_known, read_targets
from pipeline.images.sources._words import on_one_line
from pipeline.images.targets import TargetTable


class ShardTargets(NamedTuple):
    """The targets of the images of all shards.

    Attributes:
        table: What labels stand for.
        codes: Row of the table for each label.
        notes: What needs saying.
    """

    table: TargetTable
    codes: Mapping[str, int]
    notes: list[str]


def read_shard_targets(
    subject: str,
    labels: Mapping[str, MemberPlace],
    counts: Mapping[str, int],
    kind: str,
    options: SourceOptions,
) -> ShardTargets:
    """Reads what labels stand for.

    Args:
        subject: The shards, for messages.
        labels: Every label, with where it was seen.
        counts: Images of each.
        kind: ``LABELS`` or ``NUMBER``.
        options: How they are to be read.

    Raises:
        UsageError: A label is no number, or none is known.
    """
    texts, places = list(labels), list(labels.values())

    def error(place: int, trouble: str) -> UsageError:
        shard, member = places[place]
        return UsageError(f"{shard}: {on_one_line(member)!r}: {trouble}")

    given = GivenLabels(texts, [counts[text] for text in texts], error, column="label")
    table, notes = read_targets(given, kind, options)
    if trouble := nothing_known(table):
        raise UsageError(f"{on_one_line(subject)}: {trouble}")
    return ShardTargets(table, {text: at for at, text in enumerate(texts)}, notes)
