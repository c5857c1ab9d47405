"""Preprocessing in the forms that the field has for it: one file each; the folder is the registry.

A module says with ``NAME`` how the file beside a network is called, ``*`` standing for the network's own name
without its ending, and reads it with ``read``. They are looked for in the order of ``ORDER``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, cast

from pipeline import registry
from pipeline.backbones.preprocessing import Preprocessing
from pipeline.errors import UsageError, reason_of

MOST_BYTES = 2**20


class NotOfThisKindError(Exception):
    """A file of this name says nothing of preprocessing, and need not."""


class Config(Protocol):
    """A module that reads preprocessing from one kind of file.

    Attributes:
        NAME: What the file is called.
        ORDER: The module with the least number is asked first.
    """

    NAME: str
    ORDER: int

    def read(self, text: str, origin: str) -> Preprocessing:
        """Reads the text of such a file.

        Raises:
            NotOfThisKindError: It says nothing of preprocessing.
            ValueError: It is damaged, lacks what must be known, or asks for what cannot be done here.
        """
        ...


def find_preprocessing(network: Path, config: Path | None = None) -> Preprocessing:
    """Returns the preprocessing that a file beside a network states.

    Looked at are the folder of the network and, where that is called ``onnx`` as in the repositories of the
    Hugging Face hub, the one above it.

    Args:
        network: The file of the network.
        config: The file that states it, wherever it is; None = look for it.

    Raises:
        UsageError: There is none, or it does not say all that must be known; the message says what to write.
    """
    modules = [cast("Config", registry.load(__name__, "config", name)) for name in registry.names(__name__)]
    modules.sort(key=lambda module: module.ORDER)
    if config is not None:
        kinds = [module for module in modules if Path(module.NAME).suffix == config.suffix]
        found = _first(kinds, [config] * len(kinds), network)
        if found is None:
            raise UsageError(f"{config} states no preprocessing. {advice(network)}")
        return found
    folders = [network.parent, *([network.parent.parent] if network.parent.name == "onnx" else [])]
    for folder in folders:
        paths = [folder / module.NAME.replace("*", network.stem) for module in modules]
        found = _first(modules, paths, network)
        if found is not None:
            return found
    names = ", ".join(module.NAME.replace("*", network.stem) for module in modules)
    raise UsageError(
        f"how pictures are prepared for {network} is not known, and a guess would cost accuracy without any "
        f"error: none of {names} that says so is beside it. {advice(network)}"
    )


def _first(modules: list[Config], paths: list[Path], network: Path) -> Preprocessing | None:
    for module, path in zip(modules, paths, strict=True):
        if not path.exists():
            continue
        try:
            return module.read(_text_of(path), str(path))
        except NotOfThisKindError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path} {_plain(error)}. {advice(network)}") from error
    return None


def _text_of(path: Path) -> str:
    if not path.is_file():  # opening a named pipe would wait for ever
        raise ValueError("is no regular file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES:,} bytes: it states no preprocessing")
    return path.read_text(encoding="utf-8")


def _plain(error: Exception) -> str:
    return f"cannot be read: {reason_of(error)}" if isinstance(error, OSError) else str(error)


def advice(network: Path) -> str:
    """Says what to write, and where."""
    example: dict[str, Any] = {
        "size": 224,
        "resize": '"bicubic"',
        "crop": 0.875,
        "channels": '"rgb"',
        "scale": '"1/255"',
        "mean": "[0.485, 0.456, 0.406]",
        "std": "[0.229, 0.224, 0.225]",
    }
    lines = "; ".join(f"{name} = {value}" for name, value in example.items())
    return (
        f"Write {network.with_suffix('.toml').name} beside the network, a line each: {lines} (but with what "
        "it was trained with; docs/backbones.md)"
    )
