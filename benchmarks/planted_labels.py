"""How many planted label errors are found, how many suspects were planted, and what removing them brings.

    python benchmarks/planted_labels.py --entries features_cache/*/*-avg-*

Of training rows that are drawn by chance, some labels are changed to another class by chance; features, and
the test rows that accuracy is measured on, stay as they are.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from measuring import tell
from tables import RESULTS, markdown, number, read_table, write_table

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.whole_set import whole_set
from pipeline.evaluation.labels import EFFECT_HEAD, check_labels
from pipeline.evaluation.labels.effect import measure_effect
from pipeline.evaluation.pooled import pooled_images

MARK = "planted-labels"
FIGURES = ("recall", "precision", "accuracy", "accuracy_without")


def main() -> None:
    """Measures and writes ``planted_labels.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=Path, nargs="+", required=True)
    parser.add_argument("--rows", type=int, default=2000, help="training rows, drawn by chance")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULTS / "planted_labels.csv")
    given = parser.parse_args()
    found = []
    for entry in given.entries:
        train, test = open_features(entry, "train"), pooled_images(open_features(entry, "test"))
        for seed in range(given.seeds):
            found.append(_measured(train, test, given.rows, given.share, seed))
            tell(str(found[-1]))
            write_table(given.out, found)


def summary(results: Path) -> str:
    """Returns the table of the page, a row an entry: means over the seeds, with the least and the most."""
    columns = [
        "images",
        "base",
        "found",
        "planted among the suspects",
        "accuracy",
        "without",
        "better, worse",
    ]
    cells = []
    for (dataset, base), same in groupby(read_table(results), lambda row: (row["dataset"], row["base"])):
        recall, precision, before, after = np.array(
            [[row[name] for name in FIGURES] for row in same], float
        ).T
        moved = f"{(after > before).sum()}, {(after < before).sum()} of {len(after)}"
        cells.append([dataset, base, *map(_range, (recall, precision)), *map(_mean, (before, after)), moved])
    return markdown(columns, cells)


def _mean(shares: np.ndarray) -> str:
    return f"{100 * shares.mean():.1f} %"


def _range(shares: np.ndarray) -> str:
    return f"{_mean(shares)} ({100 * shares.min():.0f} to {100 * shares.max():.0f})"


def _measured(train: FeatureSet, test: FeatureSet, count: int, share: float, seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    some = pooled_images(train.take(np.sort(random.permutation(len(train))[:count])))
    planted = random.choice(len(some), round(share * len(some)), replace=False)
    labels, k = some.labels.copy(), len(some.classes)
    labels[planted] = (labels[planted] + random.integers(1, k, len(planted))) % k
    spoiled = replace(some, rows=replace(some.rows, labels=labels))
    check = check_labels([spoiled])
    found = np.flatnonzero(check.suspected)
    both = whole_set([spoiled, test])
    split = np.repeat(["train", "test"], [len(spoiled), len(test)])
    suspected = np.concatenate([check.suspected, np.zeros(len(test), bool)])
    effect = measure_effect(both, split, suspected, EFFECT_HEAD, {})
    right = np.isin(found, planted).sum()
    return {
        "dataset": train.dataset,
        "base": f"{train.spec.backbone} at {train.spec.image_size}, {train.spec.layer}",
        "rows": len(some),
        "planted": len(planted),
        "found": len(found),
        "precision": number(right / max(len(found), 1), 3),
        "recall": number(right / len(planted), 3),
        "accuracy": "" if effect is None else number(effect.right / effect.n, 4),
        "accuracy_without": "" if effect is None else number(effect.right_without / effect.n, 4),
    }


if __name__ == "__main__":
    main()
