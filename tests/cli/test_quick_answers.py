"""An answer pays for no library that it does not need; TensorFlow takes seconds to import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result
from photos import Photos

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SLOW = ("keras", "matplotlib", "scipy", "sklearn", "skops", "tensorflow")
BY_NUMPY = ("logreg", "sgd", "lda", "mlp", "random-forest", "knn", "dense")
SCRIPT = f"""
import sys
from click.testing import CliRunner
from pipeline.cli import main

data, picture, *heads = sys.argv[1:]

def imported(*words):
    ended = CliRunner().invoke(main, [*words, "--data", data], prog_name="pipeline")
    assert ended.exit_code == 0, ended.output
    print(words[0], words[-1], *sorted({{*{SLOW}}} & {{*sys.modules}}))

for head in heads:
    imported("predict", picture, "--head", head)
imported("evaluate", "--head", "logreg")
"""


def test_answers_import_nothing_slow(cli: Callable[..., Result], some_photos: Photos) -> None:
    data = ["--data", some_photos.root]
    assert cli("extract", *data, "--backbone", "pixels", "--image-size", "8").exit_code == 0
    for head in BY_NUMPY:
        quick = ["--set", "epochs=1"] if head in ("dense", "mlp", "sgd") else []
        ended = cli("train-head", *data, "--head", head, *quick)
        assert ended.exit_code == 0, ended.stderr
    words = [str(some_photos.root), str(some_photos.files("test")[0]), *BY_NUMPY]

    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=True)

    *predicted, evaluated = map(str.split, done.stdout.splitlines())
    assert predicted == [["predict", head] for head in BY_NUMPY]
    assert not {"keras", "tensorflow"} & set(evaluated[2:])
