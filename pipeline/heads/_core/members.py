"""Members of an ensemble: heads with their options, the cut each works on, and how often each counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pipeline.backbones.table import Cut
from pipeline.errors import UsageError
from pipeline.options import split_settings
from pipeline.spec import FeatureSpec
from pipeline.wording import readable

EXAMPLE = "2*logreg C=0.01@block5_pool + ridge@block4_pool:avg"
BETWEEN = " + "


@dataclass(frozen=True)
class Member:
    """One head of an ensemble.

    Attributes:
        head: Its name in the registry.
        options: Its options as text; the others keep their defaults.
        cut: ``layer`` or ``layer:pooling``; empty = all features as they are.
        count: How many votes it has.
    """

    head: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cut: str = ""
    count: int = 1

    def __str__(self) -> str:
        votes = f"{self.count}*" if self.count > 1 else ""
        words = [f"{votes}{self.head}", *(f"{name}={value}" for name, value in self.options.items())]
        return " ".join(words) + (f"@{self.cut}" if self.cut else "")


def write_members(members: Sequence[Member]) -> str:
    """Writes members as :func:`read_members` reads them."""
    return BETWEEN.join(map(str, members))


def read_members(text: str) -> tuple[Member, ...]:
    """Reads ``[COUNT*]HEAD [OPTION=VALUE ...][@CUT]``, several with a plus between spaces.

    Raises:
        UsageError: It has another form; heads and options are not looked up here.
    """
    return tuple(_read_member(part) for part in text.split(BETWEEN))


def _read_member(text: str) -> Member:
    described, at, cut = text.strip().rpartition("@") if "@" in text else (text, "", "")
    found = re.fullmatch(r"(?:(\d{1,6})\*)?([a-z0-9-]+)((?: +\S+)*)", described.strip())
    if found is None or (at and not cut) or (found[1] and not int(found[1])):
        raise UsageError(
            f"{readable(text)!r} is no member of an ensemble: write [COUNT*]HEAD [OPTION=VALUE ...][@CUT], "
            f"for example `--set 'members={EXAMPLE}'`"
        )
    options = split_settings(found[3].split(), "a member's")
    return Member(found[2], MappingProxyType(options), cut, int(found[1] or 1))


def cut_position(cut: str, specs: Sequence[FeatureSpec]) -> int:
    """Returns which of some cuts a member works on.

    Args:
        cut: As it stands in the member.
        specs: One for each cut of the features.

    Raises:
        UsageError: It is none of them.
    """
    there = [Cut(spec.layer, spec.pooling) for spec in specs]
    wanted = Cut.parse(cut)
    if wanted not in there:
        named = ", ".join(str(one).removesuffix(":none") for one in there)
        raise UsageError(
            f"a member of the ensemble works on {cut}, but these are the features of {named}: "
            f"add --layer {cut}, or name another cut behind the @"
        )
    return there.index(wanted)
