"""Image files with several bytes changed, cut or doubled: decoded or refused, never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fuzzing
import numpy as np
import pytest
from hostile_images import encode, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
MEMORY_MIB = 2_000
"""A picture within the limit of 100 million pixels takes up to 400 MB as it is and 400 MB converted."""


def seeds() -> list[bytes]:
    """One small file of each kind that is decoded."""
    image = Image.fromarray(picture(24, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        *(encode(image, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")),
        encode(image, "JPEG", progressive=True, exif=exif),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image.convert("RGBA"), "WEBP", lossless=True),
        encode(image.convert("P"), "PNG", transparency=0),
        encode(image.convert("I;16"), "PNG"),
        encode(image.convert("1"), "TIFF", compression="group4"),
        encode(image, "TIFF", compression="tiff_lzw"),
        encode(image, "TIFF", compression="jpeg"),
        encode(image.quantize(16), "GIF", save_all=True, append_images=[image.quantize(16)]),
    ]


def test_a_mutated_image_is_decoded_or_refused() -> None:
    outcomes, good = Counter(), seeds()

    @settings(
        max_examples=1000,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def mutate(seed: int) -> None:
        random = np.random.default_rng(seed)
        outcomes[fuzzing.check_decode(fuzzing.mutated(good[seed % len(good)], random))] += 1

    mutate()
    print(f"{outcomes.total()} mutated images: {dict(outcomes)}")
    assert min(outcomes["decoded"], outcomes["refused"]) > 100


@pytest.mark.torture
def test_mutated_images_for_minutes(tmp_path: Path) -> None:
    for number, content in enumerate(seeds()):
        (tmp_path / f"{number}.seed").write_bytes(content)
    files = [str(path) for path in sorted(tmp_path.glob("*.seed"))]
    command = [sys.executable, fuzzing.__file__, "decode", str(SECONDS), "1", *files]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS + 120, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, f"{tmp_path / 'case'}: {result.stderr[-2000:]}"
    print(result.stdout.strip())
    assert int(result.stdout.split()[-2]) < MEMORY_MIB
