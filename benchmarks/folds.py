"""How many images go through the base while a pipeline of scikit-learn is cross-validated.

python benchmarks/folds.py --images photos/ --weights weights.h5
python benchmarks/folds.py --images photos/ --weights imagenet --backbone vgg16 --image-size 150 --folds 5

The images stand in a folder a class. What is counted are rows that stage one computed, summed over all calls.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import tell
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from pipeline import CachedFeatures, cached_features


def main() -> None:
    """Counts, and prints what was computed before and after the first fold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="folder with a folder for each class")
    parser.add_argument("--weights", required=True, help="file with the filters, imagenet or random")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--folds", type=int, default=10)
    given = parser.parse_args()
    images = sorted(path for path in given.images.glob("*/*") if path.is_file())
    labels = [path.parent.name for path in images]
    computed: list[int] = []
    extract = cached_features.extract

    def counted(*arguments: Any, **named: Any) -> Any:
        reports = extract(*arguments, **named)
        computed.append(sum(report.computed for report in reports))
        return reports

    cached_features.extract = counted
    folds = StratifiedKFold(given.folds, shuffle=True, random_state=0)
    with tempfile.TemporaryDirectory() as cache:
        model = make_pipeline(
            CachedFeatures(given.backbone, image_size=given.image_size, weights=given.weights, cache=cache),
            LogisticRegression(max_iter=1000),
        )
        scores, calls = [], []
        for fold in folds.split(images, labels):
            scores += cross_val_score(model, images, labels, cv=[fold]).tolist()
            calls.append(sum(computed))
            computed.clear()
    tell(f"  accuracy {np.mean(scores):.4f} over {given.folds} folds of {len(images):,} images")
    print(
        f"computed in the first fold {calls[0]:,}, in all others {sum(calls[1:]):,}, images {len(images):,}"
    )


if __name__ == "__main__":
    main()
