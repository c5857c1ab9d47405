"""Whether a learning curve of few rows forecasts what more rows bring.

    python benchmarks/learning_curves.py --entries features_cache/*/*-avg-*

Of all images of an entry, one of each group of copies, 1,000 are drawn to measure on and 2,000 to learn from.
The curve of the first 800 of these forecasts the error at 2,000, with a band; then the head learns from all
2,000 and its error is seen.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

import numpy as np
from measuring import tell
from tables import RESULTS, markdown, number, read_table, write_table

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.entries import read_entry
from pipeline.cache.whole_set import whole_set
from pipeline.evaluation.learning_curve import learning_curve
from pipeline.evaluation.pooled import pooled_images
from pipeline.heads import TrainingData, fit_on, row_groups

MARK = "learning-curves"


def main() -> None:
    """Measures and writes ``learning_curves.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=Path, nargs="+", required=True)
    parser.add_argument("--few", type=int, default=800)
    parser.add_argument("--many", type=int, default=2000)
    parser.add_argument("--measured", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS / "learning_curves.csv")
    given = parser.parse_args()
    found = []
    for folder in given.entries:
        entry = read_entry(folder)
        every = whole_set([open_features(entry, split) for split in entry.splits])
        for seed in range(given.seeds):
            found.append(_measured(every, given.few, given.many, given.measured, seed))
            tell(str(found[-1]))
            write_table(given.out, found)


def summary(results: Path) -> str:
    """Returns the table of the page, a row an entry."""
    columns = ["images", "base", "draws", "error at 800", "forecast for 2,000", "its band", "seen", "inside"]
    cells = []
    for (dataset, base), same in groupby(read_table(results), lambda row: (row["dataset"], row["base"])):
        rows = list(same)
        few, said, low, high, seen = (
            100 * (1 - np.mean([float(row[name]) for row in rows]))
            for name in ("accuracy_few", "forecast", "high", "low", "seen")
        )
        inside = sum(row["inside"] == "True" for row in rows)
        figures = [f"{few:.1f} %", f"{said:.1f} %", f"{low:.1f} to {high:.1f} %", f"{seen:.1f} %"]
        cells.append([dataset, base, f"{len(rows)}", *figures, f"{inside} of {len(rows)}"])
    return markdown(columns, cells)


def _measured(every: FeatureSet, few: int, many: int, measured: int, seed: int) -> dict[str, object]:
    _, one_each = np.unique(row_groups(every), return_index=True)
    order = np.random.default_rng(seed).permutation(one_each)[: many + measured]
    train, test = pooled_images(every.take(order[:many])), pooled_images(every.take(order[many:]))
    curve = learning_curve(train.take(np.arange(few)), test, seed=seed)
    said = curve.at(many)
    trained = fit_on(TrainingData.of(train), curve.head)
    seen = float(np.mean(trained.predict_proba(test).argmax(axis=1) == test.labels))
    low, high = said.accuracy_ci
    return {
        "dataset": every.dataset,
        "base": f"{every.spec.backbone} at {every.spec.image_size}, {every.spec.layer}",
        "few": few,
        "accuracy_few": number(float(curve.accuracy[-1]), 4),
        "many": many,
        "forecast": number(said.accuracy, 4),
        "low": number(low, 4),
        "high": number(high, 4),
        "seen": number(seen, 4),
        "inside": low <= seen <= high,
    }


if __name__ == "__main__":
    main()
