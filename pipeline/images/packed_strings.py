"""Many strings in little memory: their bytes one after the other, and where each begins."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from pipeline.images.sequences import LazySequence, Positions, compact, is_constant, pick, take_rows

SHARD = 2**16
"""Rows that stand together: what is being made of a list is in memory for one shard at a time."""

_CODEC = ("utf-8", "surrogateescape")  # names of files need not be valid UTF-8
_STRETCH = 4096


class Pack(NamedTuple):
    """Up to ``SHARD`` strings.

    Attributes:
        data: The encoded strings, one after the other.
        ends: Unsigned integers (n + 1,): text i is ``data[ends[i]:ends[i + 1]]``.
    """

    data: bytes | memoryview
    ends: np.ndarray

    def encoded(self, row: int) -> bytes:
        """Returns one text as bytes."""
        return bytes(self.data[self.ends.item(row) : self.ends.item(row + 1)])

    def text(self, row: int) -> str:
        """Returns one text."""
        return self.encoded(row).decode(*_CODEC)


class PackBuilder:
    """Takes up strings one by one."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, text: str) -> None:
        """Adds a text."""
        self.add_encoded(text.encode(*_CODEC))

    def add_encoded(self, text: bytes) -> None:
        """Adds a text as bytes."""
        self._data += text
        self._ends.append(len(self._data))

    def finish(self) -> Pack:
        """Returns what was added."""
        ends = np.frombuffer(self._ends, np.uint64)
        if not self._data:
            return Pack(b"", np.broadcast_to(np.zeros(1, np.uint8), len(ends)))
        return Pack(bytes(self._data), ends.astype(np.min_scalar_type(len(self._data))))


class PackedStrings(LazySequence[str]):
    """A sequence of strings in about the bytes of the strings and four for each.

    A part of it shares the bytes, and is pickled without the rest.
    """

    __slots__ = ("_rows", "packs")

    def __init__(self, packs: Sequence[Pack], rows: Positions) -> None:
        """Makes a sequence of packed strings.

        Args:
            packs: All of ``SHARD`` strings, but the last.
            rows: Which of the strings.
        """
        self.packs = packs
        self._rows = rows

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Packs strings, which may come one by one."""
        return cls.of_encoded(text.encode(*_CODEC) for text in strings)

    @classmethod
    def of_encoded(cls, strings: Iterable[bytes]) -> Self:
        """Packs strings that are UTF-8 already; bytes that are none become surrogates, as in file names."""
        packs: list[Pack] = []
        builder = PackBuilder()
        for text in strings:
            if len(builder) == SHARD:
                packs.append(builder.finish())
                builder = PackBuilder()
            builder.add_encoded(text)
        length = SHARD * len(packs) + len(builder)
        return cls([*packs, builder.finish()], range(length))

    @classmethod
    def joined(cls, parts: Sequence[PackedStrings]) -> PackedStrings:
        """Puts strings, at least one sequence of them, one below the other; whole shards are not copied."""
        if all(part._is_whole and len(part) % SHARD == 0 for part in parts[:-1]) and parts[-1]._is_whole:
            packs = [pack for part in parts for pack in part.packs if len(pack.ends) > 1]
            return cls(packs, range(sum(map(len, parts))))
        return cls.of_encoded(text for part in parts for text in part.encoded())

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return (text.decode(*_CODEC) for text in self.encoded())

    def __reduce__(self) -> tuple[Callable[..., PackedStrings], tuple[Any, ...]]:
        packs = [Pack(bytes(data), np.array(ends)) for data, ends in self.alone().packs]
        return PackedStrings, (packs, range(len(self)))

    def take(self, index: slice | np.ndarray | Sequence[int]) -> PackedStrings:
        """Returns the strings at the given int positions (or under a boolean mask), in that order."""
        return PackedStrings(self.packs, pick(self._rows, index))

    def alone(self) -> PackedStrings:
        """Returns the same strings without any others that they share memory with."""
        return self if self._is_whole else PackedStrings.of_encoded(self.encoded())

    @property
    def _is_whole(self) -> bool:
        length = sum(len(pack.ends) - 1 for pack in self.packs)
        return isinstance(self._rows, range) and self._rows == range(length)

    def encoded(self) -> Iterator[bytes]:
        """Yields each text as bytes."""
        number = -1
        data: bytes | memoryview = b""
        ends = memoryview(b"")
        for start in range(0, len(self), _STRETCH):
            stretch = self._rows[start : start + _STRETCH]
            for row in stretch if isinstance(stretch, range) else stretch.tolist():
                if row // SHARD != number:
                    number = row // SHARD
                    data, ends = self.packs[number].data, self.packs[number].ends.data
                yield bytes(data[ends[row % SHARD] : ends[row % SHARD + 1]])

    def _at(self, position: int) -> str:
        row = int(self._rows[position])
        return self.packs[row // SHARD].text(row % SHARD)


class Categorical(LazySequence[str]):
    """A sequence of few different strings: a small number for each, and what the numbers stand for."""

    __slots__ = ("codes", "names")

    def __init__(self, codes: np.ndarray, names: Sequence[str]) -> None:
        """Makes a sequence.

        Args:
            codes: Integers (N,), positions in ``names``; -1 stands for an empty text.
            names: The different strings.
        """
        self.codes = codes
        self.names = names

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        last, text = -1, ""
        for start in range(0, len(self), _STRETCH):
            for code in self.codes[start : start + _STRETCH].tolist():
                if code != last:
                    last, text = code, self._name(code)
                yield text

    def __reduce__(self) -> tuple[Callable[..., Categorical], tuple[Any, ...]]:
        alone = self.alone()
        codes, names = alone.codes, alone.names
        return _coded, (codes[:1] if is_constant(codes) else codes, len(self), names)

    def take(self, index: slice | np.ndarray | Sequence[int]) -> Categorical:
        """Returns the strings at the given int positions (or under a boolean mask), in that order."""
        rows = pick(range(len(self)), index)
        return Categorical(take_rows(self.codes, rows), self.names)

    def alone(self) -> Categorical:
        """Returns the same strings without names that do not occur."""
        used, codes = np.unique(np.append(self.codes, -1), return_inverse=True)  # so that code 0 becomes -1
        names = PackedStrings.of(self.names[code] for code in used[1:].tolist())
        return Categorical(compact(codes[:-1] - 1), names)

    def _at(self, position: int) -> str:
        return self._name(self.codes.item(position))

    def _name(self, code: int) -> str:
        return self.names[code] if code >= 0 else ""


def _coded(codes: np.ndarray, length: int, names: Sequence[str]) -> Categorical:
    return Categorical(codes if len(codes) == length else np.broadcast_to(codes, length), names)


def repeated(strings: PackedStrings) -> list[int]:
    """Returns the positions of all strings that stand there more than once, in order.

    Sixteen bytes a text are in memory meanwhile.
    """
    hashes = np.fromiter(map(hash, strings.encoded()), np.int64, len(strings))
    in_order = np.sort(hashes)
    twice = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    if not len(twice):
        return []
    known: dict[str, int] = {}
    found: set[int] = set()
    for position in np.flatnonzero(np.isin(hashes, twice)).tolist():  # equal hashes may be a coincidence
        first = known.setdefault(strings[position], position)
        if first != position:
            found |= {first, position}
    return sorted(found)
