"""Labels in tar shards: what ``key.cls`` and ``key.json`` say of the image ``key.jpg``."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.sources._tar import TarMember, Window
from pipeline.images.sources._words import SPLIT_WORDS, on_one_line, split_of
from pipeline.plain_json import parse_json

LIMITS = {"cls": 2**12, "json": 2**24}
"""Bytes of a label, and of a description."""


class SampleLabel(NamedTuple):
    """What a ``.cls`` or ``.json`` says of its sample; None where it does not."""

    label: str | None = None
    split: str | None = None
    group: str | None = None


def read_label(window: Window, member: TarMember, kind: str, shard: str) -> SampleLabel:
    """Reads a ``.cls`` (a number or a name) or a ``.json`` (an object with any of ``SampleLabel``'s fields).

    Raises:
        UsageError: It is too long, or cannot be understood; the message names shard and member.
        OSError: The shard cannot be read.
    """
    if member.size > LIMITS[kind]:
        raise broken_sample(shard, member.name, f"has {member.size:,} bytes, more than {LIMITS[kind]:,}")
    try:
        text = window.read(member.offset, member.size).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise broken_sample(shard, member.name, f"is not UTF-8 text ({error.reason})") from error
    if kind == "json":
        return _read_json(text, member.name, shard)
    _check_name(text, member.name, shard)
    return SampleLabel(label=text)


def _read_json(text: str, name: str, shard: str) -> SampleLabel:
    try:
        about = parse_json(text, nan=True)
    except ValueError as error:
        raise broken_sample(shard, name, f"is not JSON ({error})") from error
    if not isinstance(about, dict):
        return SampleLabel()  # a list of boxes, say
    texts = {key: _text(about.get(key), key, name, shard) for key in ("label", "class", "split", "group")}
    split = split_of(texts["split"]) if texts["split"] else None
    if texts["split"] and split is None:
        words = ", ".join(word for known in SPLIT_WORDS.values() for word in known)
        raise broken_sample(shard, name, f"has the unknown split {texts['split']!r}: choose from {words}")
    return SampleLabel(texts["class"] or texts["label"], split, texts["group"])


def _text(value: object, key: str, name: str, shard: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise broken_sample(shard, name, f"has a {key} that is neither text nor a whole number")
    text = str(value).strip()
    _check_name(text, name, shard)
    return text


def _check_name(text: str, name: str, shard: str) -> None:
    """Refuses what no feature file can hold as a name."""
    if not text or "\n" in text or "\0" in text or len(text) > LIMITS["cls"]:
        raise broken_sample(shard, name, "holds no class or group: expected a number or a name on one line")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise broken_sample(shard, name, "is not valid text")


def broken_sample(shard: str, name: str, trouble: str) -> UsageError:
    """Builds the error for a member that cannot be understood."""
    return UsageError(f"{shard}: {on_one_line(name)!r} {trouble}")
