"""Hubs: where networks are to be had. One file each; the folder is the registry.

A module downloads with the ecosystem's own library, and writes the network as ONNX once, its preprocessing
beside it in the library's own form. From then on nothing of that library is needed.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

from pipeline import registry
from pipeline.backbones.shelf import Shelved, add, check_name
from pipeline.errors import UsageError, reason_of, unknown
from pipeline.progress import say

OPSET = 17


class Hub(Protocol):
    """A module that fetches networks.

    Attributes:
        PACKAGES: What has to be installed.
        EXTRA: The extra that brings it.
        EXAMPLE: A name that it understands.
    """

    PACKAGES: tuple[str, ...]
    EXTRA: str
    EXAMPLE: str

    def fetch(self, name: str, folder: Path) -> Path:
        """Downloads a network and converts it.

        Args:
            name: What the hub calls it; a folder of the library's own format, too.
            folder: An empty folder, for the network and its preprocessing.

        Returns:
            The ``.onnx`` file.
        """
        ...


def get(address: str, *, name: str = "") -> Shelved:
    """Downloads a network, converts it once, and puts it on the shelf.

    Args:
        address: ``timm:NAME``, ``hf:OWNER/NAME`` or ``keras-hub:PRESET``.
        name: What to call it; empty = by its address.

    Raises:
        UsageError: There is no such hub, a package is missing, or the network cannot be had or used.
    """
    kind, colon, wanted = address.partition(":")
    if not colon or not wanted:
        kinds = ", ".join(f"{one}:NAME" for one in registry.names(__name__))
        raise UsageError(f"{address!r} names no network of a hub: give {kinds}")
    if kind not in registry.names(__name__):
        raise unknown("hub", kind, registry.names(__name__))
    hub = cast("Hub", registry.load(__name__, "hub", kind))
    missing = [one for one in hub.PACKAGES if importlib.util.find_spec(one) is None]
    if missing:
        names, extra = ", ".join(missing), f"two-stage-pipeline[{hub.EXTRA}]"
        raise UsageError(
            f"hub {kind!r} needs {names}: pip install {extra!r}. Or fetch it on another machine, and "
            "add it here with `pipeline backbones add`"
        )
    name = name or _name_of(wanted)
    check_name(name)
    say(f"{address}: downloading, and converting to ONNX once")
    with TemporaryDirectory(prefix="pipeline-hub-") as scratch:
        try:
            path = hub.fetch(wanted, Path(scratch))
        except UsageError:
            raise
        except Exception as error:  # these libraries raise whatever their downloads and models ran into
            raise UsageError(
                f"{address} cannot be had ({reason_of(error)}): look its name up, as {kind}:{hub.EXAMPLE}"
            ) from error
        return add(name, path, origin=address)


def _name_of(wanted: str) -> str:
    """Makes a name of an address: its last part, in small letters."""
    last = wanted.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9_.-]+", "_", last).strip("._-") or "network"


def export_torch(module: object, path: Path, *, size: int, outputs: Sequence[str]) -> None:
    """Writes a module of PyTorch as ONNX, for any number of pictures of one size.

    Args:
        module: From float32 (n, 3, size, size) to one tensor for each output, n first.
        path: Where to.
        size: Height and width in pixels.
        outputs: Names of the outputs.
    """
    import warnings

    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of its exporter, and of every Python condition that it traces
        torch.onnx.export(
            module,
            (torch.zeros(2, 3, size, size),),
            path,
            input_names=["pixel_values"],
            output_names=list(outputs),
            dynamic_axes={name: {0: "n"} for name in ("pixel_values", *outputs)},
            opset_version=OPSET,
            dynamo=False,  # the other exporter writes functions of its own into the file
        )
