"""Results of a sweep: one small file each, so that nothing that is finished can be lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.errors import UnreadableFileError, disk_errors, system_refusal
from pipeline.evaluation.metrics import wilson_interval
from pipeline.files import make_folder, remove, root_of, written
from pipeline.heads._core.target_figures import ACCURACY, FIGURES, LOSSES
from pipeline.plain_json import json_text, plain, read_sealed, sealed
from pipeline.progress import say
from pipeline.run_files import is_result
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.score_interval import joined_interval

OF_TARGETS = ("figure", "mae", "ends")
"""Fields of results that those of classes are without."""
LOSS_OF = {FIGURES[kind]: LOSSES[kind] for kind in FIGURES}
"""The tie-break of each figure, by its name in :class:`Result`."""


@dataclass(frozen=True)
class Result:
    """How one candidate did.

    Attributes:
        key: Key of the candidate.
        head: Its head.
        options: Its options.
        score: The figure on validation rows, mean over the folds; None where it failed.
        scores: That of each fold; one without cross-validation.
        log_loss: Mean log-loss on the same rows, of numbers None; the tie-break.
        rows: Rows it was measured on.
        seconds: Wall time of the fits.
        bytes: Size of the saved model.
        problem: Why it failed; empty where it did not.
        figure: What the score is: accuracy, or ``map`` of labels, or ``r2`` of numbers.
        mae: Mean absolute error of numbers on the same rows; the tie-break. None of other targets.
        ends: 95 % bootstrap interval of the score of labels or numbers; None where there is none.
    """

    key: str
    head: str
    options: dict[str, str]
    score: float | None = None
    scores: tuple[float, ...] = ()
    log_loss: float | None = None
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    problem: str = ""
    figure: str = ACCURACY
    mae: float | None = None
    ends: tuple[float, float] | None = None

    @property
    def candidate(self) -> Candidate:
        """What was measured."""
        return Candidate(self.head, self.options)

    @property
    def loss(self) -> float | None:
        """The tie-break: the less, the better."""
        return self.log_loss if self.mae is None else self.mae

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the score: Wilson's of an accuracy, else that of the bootstrap."""
        if self.score is None or self.figure != ACCURACY:
            return self.ends
        return wilson_interval(round(self.score * self.rows), self.rows)

    @property
    def between(self) -> str:
        """The interval in words; empty where there is none."""
        return "" if self.interval is None else "{:.4f} to {:.4f}".format(*self.interval)

    def line(self, rank: int) -> dict[str, object]:
        """Returns the line of leaderboard.csv, by its columns."""
        low, high = self.interval or (None, None)
        of_classes = self.figure == ACCURACY
        return {
            "rank": rank,
            "head": self.head,
            "options": " ".join(f"{name}={value}" for name, value in self.options.items()),
            **({} if of_classes else {"figure": self.figure}),
            "score": self.score,
            "low": low,
            "high": high,
            "scores": " ".join(map(str, self.scores)),
            LOSS_OF[self.figure]: self.loss,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "bytes": self.bytes,
            "problem": self.problem,
        }

    def to_record(self) -> dict[str, object]:
        """Returns its file, by key: what only labels or numbers have is not in that of classes."""
        return {
            name: value
            for name, value in asdict(self).items()
            if self.figure != ACCURACY or name not in OF_TARGETS
        }


def ranked(results: Sequence[Result]) -> list[Result]:
    """Sorts by score, then by the tie-break, the best first and the failed last."""
    return sorted(
        results,
        key=lambda one: (one.score is None, -(one.score or 0.0), one.loss or 0.0, one.seconds),
    )


def joined(parts: Sequence[Result]) -> Result:
    """Makes one result of those of all folds."""
    first = parts[0]
    problem = next((part.problem for part in parts if part.problem), "")
    seconds = sum(part.seconds for part in parts)
    base = Result(first.key, first.head, first.options, seconds=seconds, figure=first.figure)
    if problem:
        return replace(base, problem=problem)
    rows = np.array([part.rows for part in parts])
    scores = tuple(part.scores[0] for part in parts)
    score = float(np.average(scores, weights=rows))

    def mean(of_parts: Sequence[float | None]) -> float | None:
        return None if None in of_parts else float(np.average(np.array(of_parts, float), weights=rows))

    return replace(
        base,
        score=score,
        scores=scores,
        log_loss=mean([part.log_loss for part in parts]),
        rows=int(rows.sum()),
        bytes=max(part.bytes for part in parts),
        mae=mean([part.mae for part in parts]),
        ends=joined_interval(score, rows / rows.sum(), scores, [part.ends for part in parts]),
    )


def not_written(folder: Path) -> AbstractContextManager[None]:
    """Turns what the disk refuses of a sweep into one line, see ``errors.disk_errors``."""
    advice = (
        "Finished results are kept; make room and run again with --resume, "
        "or choose another place with --runs"
    )
    return disk_errors(f"cannot write the sweep to {folder}", advice)


class ResultStore:
    """The folder of a sweep's results.

    Results belong to the rows they were measured on and to the way they were measured: ``identity`` names
    both, and results of another identity are not taken up again.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity
        self._root = root_of(folder, 3)  # <runs>/<dataset>/<entry>/sweep/results

    def start(self, *, resume: bool) -> dict[str, Result]:
        """Makes the folder ready and returns what can be taken up: all finished results, or none.

        A damaged result is told, and left out, so that it is made again.

        Raises:
            ForeignFileError: A link stands in the place of the folder.
            UnreadableFileError: A result cannot be read now.
            PipelineError: The folder cannot be written.
        """
        with not_written(self.folder):
            make_folder(self.folder, root=self._root)
            kept = {}
            for path in sorted(self.folder.iterdir()):
                result = None
                try:
                    result = self._read(path) if resume and path.suffix == ".json" else None
                except ValueError as error:
                    say(f"note: {path} is damaged ({error}): this candidate counts as not fitted")
                if result is not None:
                    kept[result.key] = result
                elif left := remove(path, root=self._root, known=is_result):
                    say(str(left))
        return kept

    def save(self, result: Result) -> None:
        """Writes a finished result, whole or not at all.

        Raises:
            PipelineError: The folder cannot be written.
        """
        path = self.folder / f"{result.key}.json"
        with not_written(self.folder), written(path, root=self._root, known=is_result) as file:
            file.write(json_text(sealed(plain({"identity": self.identity, **result.to_record()}))).encode())

    def _read(self, path: Path) -> Result | None:
        """Returns a result; None where it is one of other rows, or failed.

        Raises:
            ValueError: The file is damaged.
            UnreadableFileError: The system does not let it be read now.
        """
        try:
            data = read_sealed(path)
            if data.pop("identity") != self.identity or data["problem"]:
                return None
            tuples = {name: tuple(data[name]) for name in ("scores", "ends") if data.get(name) is not None}
            return Result(**data | tuples)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("it is no result of a sweep") from error
        except (OSError, MemoryError) as error:
            raise UnreadableFileError(path, system_refusal(error) or str(error)) from error
