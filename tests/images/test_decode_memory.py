"""Too little memory is not a fault of the image, whatever the decoder of its format makes of it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.images import decode as decoding
from pipeline.images import open_images
from pipeline.images.contents import digest_items
from pipeline.images.decode import DecodeError, decode, decode_for_itself
from pipeline.memory import ShortageError

SCRIPT = """
import gc, io, resource, sys
import numpy as np
from PIL import Image
from pipeline.images.decode import DecodeError, decode
from pipeline.memory import ShortageError

SIDE, STEPS_MB = 4500, (1, 600)
pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
pixels[:9] = 200
picture = Image.fromarray(pixels)
KINDS = {
    "JPEG, progressive": (picture, "JPEG", {"progressive": True}),
    "PNG": (picture, "PNG", {"compress_level": 1}),
    "WebP": (picture, "WEBP", {"quality": 1, "method": 0}),
    "TIFF, deflated": (picture, "TIFF", {"compression": "tiff_adobe_deflate"}),
}
files = {}
for name, (image, kind, options) in KINDS.items():
    file = io.BytesIO()
    image.save(file, kind, **options)
    files[name] = file.getvalue()
del picture, pixels, KINDS, image
for data in files.values():  # so that all libraries are loaded
    decode(data, 8)
damaged = files["JPEG, progressive"][:300] + bytes(200) + files["JPEG, progressive"][500:-40]
for name, data in files.items():
    outcomes = []
    for megabytes in STEPS_MB:
        gc.collect()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, -1))
        try:
            decode(data, 8)
            outcomes.append("decoded")
        except (DecodeError, ShortageError) as error:
            outcomes.append(type(error).__name__)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    print(name, *outcomes, sep="|")
try:
    decode(damaged, 8)
except DecodeError as error:
    print("damaged|DecodeError")
"""


def test_no_format_takes_it_for_damage(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc/self/statm")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *found, damaged = (line.split("|") for line in done.stdout.splitlines())
    assert len(found) == 4
    for name, *outcomes in found:
        assert set(outcomes) <= {"decoded", "ShortageError"}, name
        assert outcomes[-1] == "decoded", name
    assert sum("ShortageError" in outcomes for outcomes in found) >= 3
    assert damaged == ["damaged", "DecodeError"]


def cut_short(*, bits: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 2**bits, (32, 32), f"uint{bits}")
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()[:-200]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("work", [decode, decode_for_itself])
def test_every_way_to_decode_asks_whether_memory_was_short(
    work: Callable[[bytes, int], object], bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoders often say nothing but that they failed."""
    with pytest.raises(DecodeError):
        work(cut_short(bits=bits), 8)
    monkeypatch.setattr(decoding, "can_have", lambda count: count < 32 * 32)
    with pytest.raises(ShortageError):
        work(cut_short(bits=bits), 8)


def test_nothing_is_remembered_of_what_was_looked_at_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.png").write_bytes(cut_short(bits=16))
    source = open_images(str(tmp_path))
    assert digest_items(source, source.items())[1] == {}
    monkeypatch.setattr(decoding, "can_have", lambda count: count < 32 * 32)
    with pytest.raises(ShortageError):
        digest_items(source, source.items())
