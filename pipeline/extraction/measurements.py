"""How fast this machine runs each network, remembered in the cache so that the next run starts at once.

A figure belongs to the machine, to the versions of what computes and to the network; where one of them is
another, it is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from pipeline import hardware
from pipeline.cache.converted_bases import FIELDS
from pipeline.errors import PipelineError
from pipeline.files import is_blank, make_folder, written
from pipeline.plain_json import parse_json
from pipeline.progress import say
from pipeline.spec import FeatureSpec

FILE_NAME = ".measurements.json"
PACKAGES = ("tensorflow", "keras", "openvino")
MOST_BYTES = 2**20
_BEGIN = b'{"measurements": '

Rates = dict[str, float]
"""Images per second by name: of an engine and its arithmetic, or of a batch size."""


def this_machine() -> dict[str, Any]:
    """Describes what a measurement depends on besides the network: the hardware, and versions."""
    return hardware.describe() | {"versions": {name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass
class Measurements:
    """What is known of one network, cuts and image size included, on the machine that computes.

    Attributes:
        cache: Where it is remembered.
        specs: The network's cuts.
        machine: Describes the machine that computes; asked only where something is looked up or kept.
        forget: Whether to measure anew, whatever is known.
    """

    cache: Path
    specs: Sequence[FeatureSpec]
    machine: Callable[[], dict[str, Any]] = this_machine
    forget: bool = False

    def rates(self, question: str, among: Collection[str]) -> Rates:
        """Returns what was measured to answer a question; empty where it never was.

        Args:
            question: What was left open: ``auto float32``, or the batch of an engine and its arithmetic.
            among: The names that can be an answer; with any other the rates are not used.
        """
        if self.forget:
            return {}
        found = self._read().get(self._machine, {}).get("networks", {}).get(self._network, {})
        rates = found.get(question, {})
        sound = isinstance(rates, dict) and all(
            name in among and isinstance(rate, float) and rate > 0 for name, rate in rates.items()
        )
        return rates if sound else {}

    def remember(self, question: str, rates: Rates) -> None:
        """Keeps what was measured; a cache that cannot be written is measured again the next time."""
        known = self._read()
        here = known.setdefault(self._machine, {"machine": self._described, "networks": {}})
        here["networks"].setdefault(self._network, {})[question] = {
            name: round(float(rate), 2) for name, rate in rates.items()
        }
        with contextlib.suppress(OSError, PipelineError):
            make_folder(self.cache, root=self.cache)
            with written(self.cache / FILE_NAME, root=self.cache, known=is_measurements) as file:
                file.write(json.dumps({"measurements": known}).encode())

    def _read(self) -> dict[str, Any]:
        path = self.cache / FILE_NAME
        try:
            if not path.is_file() or path.stat().st_size > MOST_BYTES:
                return {}
            known = parse_json(path.read_text())["measurements"]
            networks = [network for one in known.values() for network in one["networks"].values()]
            if not all(isinstance(network, dict) for network in networks):
                raise TypeError("its fields are of other types")
        except OSError:
            return {}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            say(f"note: {path} is damaged ({error}): what it knew is measured again")
            return {}
        return known

    @cached_property
    def _described(self) -> dict[str, Any]:
        return self.machine()

    @cached_property
    def _machine(self) -> str:
        return _digest(self._described)

    @cached_property
    def _network(self) -> str:
        return _digest([{name: asdict(spec)[name] for name in FIELDS} for spec in self.specs])


def is_measurements(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is the one that measurements are kept in."""
    return name.name == FILE_NAME and (is_blank(head) or head.startswith(_BEGIN))


def _digest(described: Any) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
