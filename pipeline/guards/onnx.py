"""What an ONNX file is made of, checked by its declarations before anything of it is loaded.

An ONNX file holds data, no code; but it may branch and loop, ask for operations that only its maker has, read
other files of this machine as its filters, and promise tensors of any size. All of that is refused here.

Source: ``onnx/onnx.proto`` (field numbers), "External Data" in the documentation of ONNX.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.guards.protobuf import Reader, Span

MOST_BYTES = 2**31
"""Protocol buffers end there; larger networks keep their filters in external data."""
MOST_FIELDS = 4_000_000
MOST_INPUTS = 64
_ITEM_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16}
_ITEM_BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}
_NEGATIVE = 2**63
_EXTERNAL = 1
_DOMAINS = ("", "ai.onnx")


@dataclass
class OnnxFile:
    """What a sound file says of itself.

    Attributes:
        inputs: Shape of each input that is no filter, by its name; None = any number.
        outputs: Names of the outputs.
        opset: Version of the operations.
        external: Files that hold filters, as the names in the folder of the file.
    """

    inputs: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    opset: int = 0
    external: set[str] = field(default_factory=set)
    _filters: set[str] = field(default_factory=set)


def read_declarations(path: Path) -> OnnxFile:
    """Reads what an ONNX file declares; of its filters nothing is read.

    Args:
        path: The file.

    Raises:
        ValueError: It is no such file, or holds what is refused; the text says what, and what to do.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if not size:
        raise ValueError("it is empty")
    if size >= MOST_BYTES:
        raise ValueError(
            f"it has {size:,} bytes, more than an ONNX file can have: save its filters as external data"
        )
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _Checker(Reader(data, most_fields=MOST_FIELDS), path.parent).model()
    for name in found._filters & set(found.inputs):
        del found.inputs[name]
    return found


class _Checker:
    """Walks through a model, and refuses."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self._reader, self._folder = reader, folder
        self._found = OnnxFile()

    def model(self) -> OnnxFile:
        graph = None
        for number, value in self._reader.fields(self._reader.whole):
            if number == 7:
                graph = _message(value)
            elif number == 8:
                self._operations(_message(value))
            elif number in (20, 25):
                what = "training" if number == 20 else "functions of its own"
                raise ValueError(f"it holds {what}: export it for inference, with standard operations only")
        if graph is None or not self._found.opset:
            raise ValueError("it is no ONNX model: it has no graph of ONNX operations")
        self._graph(graph)
        return self._found

    def _operations(self, message: Span) -> None:
        domain, version = "", 0
        for number, value in self._reader.fields(message):
            if number == 1:
                domain = self._reader.text(value)
            elif number == 2 and isinstance(value, int):
                version = value
        if domain in _DOMAINS:
            self._found.opset = version

    def _graph(self, message: Span) -> None:
        nodes = 0
        for number, value in self._reader.fields(message):
            if number == 1:
                nodes += 1
                self._node(_message(value))
            elif number == 5:
                self._found._filters.add(self._tensor(_message(value)))
            elif number == 15:
                raise ValueError("it holds sparse tensors: export it with dense ones")
            elif number == 11:
                name, shape = self._value(_message(value))
                self._found.inputs[name] = shape
            elif number == 12:
                self._found.outputs.append(self._value(_message(value))[0])
        if not nodes or not self._found.outputs:
            raise ValueError("it is no ONNX model: its graph has no operation, or no output")

    def _node(self, message: Span) -> None:
        kind = domain = name = ""
        attributes = []
        for number, value in self._reader.fields(message):
            if number == 3:
                name = self._reader.text(value)
            elif number == 4:
                kind = self._reader.text(value)
            elif number == 7:
                domain = self._reader.text(value)
            elif number == 5:
                attributes.append(_message(value))
        if domain not in _DOMAINS:
            raise ValueError(
                f"it needs operation {kind!r} of {domain!r}, which is no standard one: export it again with "
                "operations of ONNX only, and not optimised for one runtime"
            )
        for attribute in attributes:
            for number, value in self._reader.fields(attribute):
                if number in (6, 11):
                    raise ValueError(f"it branches or loops ({kind} {name!r}): export it with a fixed course")
                if number in (5, 10):
                    self._tensor(_message(value))
                elif number in (22, 23):
                    raise ValueError("it holds sparse tensors: export it with dense ones")

    def _tensor(self, message: Span) -> str:
        """Checks that the bytes of a tensor are there, and returns its name."""
        name, kind, shape, held, external, entries = "", 0, [], 0, False, []
        for number, value in self._reader.fields(message):
            if number == 1:
                shape += self._reader.numbers(value)
            elif number == 2 and isinstance(value, int):
                kind = value
            elif number == 8:
                name = self._reader.text(value)
            elif number == 13:
                entries.append(_message(value))
            elif number == 14:
                external = value == _EXTERNAL
            elif number in (4, 5, 6, 7, 9, 10, 11):
                held += 8 if isinstance(value, int) else len(value)  # one of a repeated field, or all of it
        if kind not in _ITEM_BITS:
            raise ValueError(f"tensor {name!r} holds no numbers, or numbers of a kind that is not known")
        if any(extent >= _NEGATIVE for extent in shape):
            raise ValueError(f"tensor {name!r} has a negative extent")
        promised = math.ceil(math.prod(shape) * _ITEM_BITS[kind] / 8)
        if external:
            held = self._external(name, entries)
        # Numbers of few bits may stand in a list as varints, of a byte at least.
        if promised > 8 * held:
            raise ValueError(f"tensor {name!r} promises {promised:,} bytes, of which {held:,} are there")
        return name

    def _external(self, name: str, entries: list[Span]) -> int:
        """Checks where the bytes of a tensor stand outside, and returns how many are there."""
        said = {}
        for entry in entries:
            pair = {number: self._reader.text(value) for number, value in self._reader.fields(entry)}
            said[pair.get(1, "")] = pair.get(2, "")
        place = said.get("location", "")
        file = self._folder / place
        outside = not place or Path(place).is_absolute() or ".." in Path(place).parts or "\0" in place
        if outside or not file.resolve().is_relative_to(self._folder.resolve()):
            raise ValueError(
                f"tensor {name!r} stands outside of its folder, at {place[:100]!r}: put all files of the "
                "network into one folder"
            )
        if not file.is_file():
            raise ValueError(f"its external data {place[:100]!r} are not beside it: put them there")
        try:
            offset, length = int(said.get("offset", 0)), int(said.get("length", 0) or 0)
        except ValueError:
            raise ValueError(f"tensor {name!r} stands at no place of {place[:100]!r}") from None
        left = file.stat().st_size - offset
        length = length or left
        if offset < 0 or not 0 <= length <= left:
            raise ValueError(f"{place[:100]!r} is cut off: tensor {name!r} ends beyond it")
        self._found.external.add(place)
        return length

    def _value(self, message: Span) -> tuple[str, tuple[int | None, ...]]:
        """Returns the name and the shape of an input or an output."""
        name: str = ""
        shape: tuple[int | None, ...] = ()
        for number, value in self._reader.fields(message):
            if number == 1:
                name = self._reader.text(value)
            elif number == 2:
                for tensor in self._within(value, 1):
                    for extents in self._within(tensor, 2):
                        shape = tuple(self._extent(one) for one in self._within(extents, 1))
        return name, shape

    def _extent(self, message: Span) -> int | None:
        for number, value in self._reader.fields(message):
            if number == 1 and isinstance(value, int) and value < _NEGATIVE:
                return value
        return None

    def _within(self, message: int | Span, wanted: int) -> Iterator[Span]:
        for number, value in self._reader.fields(_message(message)):
            if number == wanted:
                yield _message(value)


def _message(value: int | Span) -> Span:
    if isinstance(value, int):
        raise ValueError("it is damaged: a number stands where a message belongs")
    return value
