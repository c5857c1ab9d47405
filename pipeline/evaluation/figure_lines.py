"""The figures over all classes in words, for terminals and notebooks."""

from __future__ import annotations

from pipeline.evaluation.figures import Figures
from pipeline.wording import readable


def figure_lines(figures: Figures) -> dict[str, str]:
    """Returns what people read of figures, by the name of each; those that have an interval with it."""
    low, high = figures.accuracy_ci

    def between(name: str, form: str) -> str:
        ends = figures.intervals.get(name)
        return f"  ({ends[0]:{form}} to {ends[1]:{form}})" if ends else ""

    return {
        "accuracy": f"{figures.accuracy:.2%}  (95% interval {low:.2%} to {high:.2%})",
        "majority class": f"{figures.majority_accuracy:.2%}  (always {readable(figures.majority.name)})",
        **{f"top {k}": f"{share:.2%}" for k, share in figures.top_k.items()},
        "balanced accuracy": f"{figures.balanced_accuracy:.2%}{between('balanced_accuracy', '.2%')}",
        "macro F1": f"{figures.macro_f1:.4f}{between('macro_f1', '.4f')}",
        "MCC": f"{figures.mcc:.4f}{between('mcc', '.4f')}",
        "ROC AUC": "-" if figures.roc_auc is None else f"{figures.roc_auc:.4f}",
        "log-loss": f"{figures.log_loss:.4f}{between('log_loss', '.4f')}",
        "calibration error": f"{figures.ece:.4f}",
        "rows": f"{figures.n:,}" + (f"  (+ {figures.unlabelled:,} unlabelled)" if figures.unlabelled else ""),
    }
