"""Labels in tar shards: what ``key.cls`` and ``key.json`` say of the image ``key.jpg``."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.sources._table_targets import listed
from pipeline.images.sources._tar import TarMember, Window
from pipeline.images.sources._words import SPLIT_WORDS, on_one_line, split_of
from pipeline.images.targets import CLASS, NUMBER
from pipeline.plain_json import parse_json

LIMITS = {"cls": 2**12, "json": 2**24}
"""Bytes of a label, and of a description."""


class MemberPlace(NamedTuple):
    """Shard and member where something was seen first, for messages."""

    shard: str
    member: str


class SampleLabel(NamedTuple):
    """What a ``.cls`` or ``.json`` says of its sample; None where it does not.

    Several labels are one text, see :func:`pipeline.images.sources._table_targets.listed`.
    """

    label: str | None = None
    split: str | None = None
    group: str | None = None


def read_label(window: Window, member: TarMember, kind: str, shard: str, *, target: str = "") -> SampleLabel:
    """Reads a ``.cls`` (a number or a name) or a ``.json`` (an object with any of ``SampleLabel``'s fields).

    Args:
        window: The shard.
        member: The file in it.
        kind: Its suffix, one of ``LIMITS``.
        shard: For messages.
        target: What the label stands for, see ``images/targets.py``: only a number can have a fraction, and
            only several labels are listed. Empty = one class, or what is listed.

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
        return _read_json(text, member.name, shard, target)
    _check_name(text, member.name, shard)
    return SampleLabel(label=text)


def _read_json(text: str, name: str, shard: str, target: str) -> SampleLabel:
    try:
        about = parse_json(text, nan=True)
    except ValueError as error:
        raise broken_sample(shard, name, f"is not JSON ({error})") from error
    if not isinstance(about, dict):
        return SampleLabel()  # a list of boxes, say
    texts = {key: _text(about.get(key), key, name, shard) for key in ("split", "group")}
    texts |= {key: _label(about.get(key), key, name, shard, target) for key in ("label", "class")}
    split = split_of(texts["split"]) if texts["split"] else None
    if texts["split"] and split is None:
        words = ", ".join(word for known in SPLIT_WORDS.values() for word in known)
        raise broken_sample(shard, name, f"has the unknown split {texts['split']!r}: choose from {words}")
    return SampleLabel(texts["class"] or texts["label"], split, texts["group"])


def _label(value: object, key: str, name: str, shard: str, target: str) -> str | None:
    if isinstance(value, float) and target == NUMBER:
        return repr(value)
    if not isinstance(value, list):
        return _text(value, key, name, shard)
    if target in (CLASS, NUMBER):
        raise broken_sample(shard, name, f"lists several labels, and --target {target} is given")
    texts = [_text(one, key, name, shard) for one in value]
    if None in texts:
        raise broken_sample(shard, name, f"lists an empty {key}: leave it out")
    return listed([text for text in texts if text])


def _text(value: object, key: str, name: str, shard: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        hint = "" if key in ("split", "group") else f"; quantities to be estimated take --target {NUMBER}"
        raise broken_sample(shard, name, f"has a {key} that is neither text nor a whole number{hint}")
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
