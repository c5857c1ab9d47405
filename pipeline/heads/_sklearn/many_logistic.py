"""Logistic regression of many labels on the same rows: L-BFGS for all at once, in products of matrices.

Each label takes its own steps and ends by itself; together they read the rows twice an iteration, where
label after label would read them twice for each. What is minimised is what scikit-learn's LogisticRegression
minimises, and ends where it does: once no component of the gradient of the mean loss is above ``tol``.

Source: J. Nocedal and S. Wright, "Numerical Optimization", 2006, algorithms 7.4 and 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.heads._core.probabilities import column_products, logistic

PAIRS = 8
"""Steps that the curvature is estimated from."""
STATE_BYTES = 256 << 20
"""Memory for what labels are solved with at a time."""
SUFFICIENT = 1e-4
"""Share of the decrease that the slope promises, at least, of a step that is taken."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
SMALLEST = float(np.finfo(np.float32).tiny)
HALVINGS = 30


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be learnt of n rows: k labels, each with weights of its own.

    Attributes:
        rows: float32 (n, d).
        truth: float32 (n, k), 1 or 0; anything where the weight is 0.
        weights: float32 (n, k), which sum to 1 in each column: what each row counts in the mean loss.
        penalty: float32 (k,), half of which times the squared coefficients is added to it.
    """

    rows: np.ndarray
    truth: np.ndarray
    weights: np.ndarray
    penalty: np.ndarray

    def of(self, labels: np.ndarray | slice) -> Problem:
        """Returns the problem of some labels."""
        return Problem(self.rows, self.truth[:, labels], self.weights[:, labels], self.penalty[labels])

    def scores(self, found: np.ndarray) -> np.ndarray:
        """Returns the scores (n, k) of coefficients and intercepts (d + 1, k)."""
        return self.rows @ found[:-1] + found[-1]

    def gradient(self, found: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Returns the gradient (d + 1, k) where the rows have given probabilities (n, k)."""
        wrong = self.weights * (shares - self.truth)
        return np.concatenate([self.rows.T @ wrong + self.penalty * found[:-1], wrong.sum(axis=0)[None]])

    def losses(self, scores: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Returns the losses, float64 (k,), of scores (n, k) by coefficients with squared lengths (k,)."""
        each = np.maximum(scores, 0) + np.log1p(np.exp(-np.abs(scores))) - self.truth * scores
        return column_products(self.weights, each) + self.penalty * squares / 2


def solve_all(
    problem: Problem, *, tol: float, max_iter: int, start: np.ndarray | None = None
) -> tuple[np.ndarray, bool]:
    """Solves for all labels, as many at a time as the memory for it holds.

    Args:
        problem: The problem.
        tol: Largest component of the gradient at the end.
        max_iter: Most iterations.
        start: Coefficients and intercepts to begin with, (d + 1, k); none: zero.

    Returns:
        Coefficients and intercepts, float32 (d + 1, k), and whether all of them converged.
    """
    (rows, columns), labels = problem.rows.shape, problem.truth.shape[1]
    size = max(STATE_BYTES // (4 * ((2 * PAIRS + 6) * columns + 10 * rows)), 1)
    found = np.zeros((columns + 1, labels), np.float32) if start is None else start.astype(np.float32)
    converged = True
    for first in range(0, labels, size):
        part = slice(first, first + size)
        found[:, part], done = _solve(problem.of(part), found[:, part], tol, max_iter)
        converged &= done
    return found, converged


def extrapolated(passed: list[tuple[float, np.ndarray]], at: float) -> np.ndarray | None:
    """Continues the line through the last two solutions of a path.

    Args:
        passed: The logarithm of C, and the solution there, float32 of any shape; the last ones at the end.
        at: The logarithm of C that a start is wanted for.

    Returns:
        Where to start, or the only solution there is; None without any.
    """
    if len(passed) < 2:
        return passed[-1][1].copy() if passed else None
    (before, first), (after, second) = passed[-2:]
    return second + np.float32((at - after) / (after - before)) * (second - first)


def _solve(problem: Problem, start: np.ndarray, tol: float, max_iter: int) -> tuple[np.ndarray, bool]:
    found, left = start.copy(), np.arange(start.shape[1])
    at, scores = start, problem.scores(start)
    gradient = problem.gradient(at, logistic(scores))
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for iteration in range(max_iter + 1):
        going = np.abs(gradient).max(axis=0) > tol
        if not going.all():
            found[:, left[~going]] = at[:, ~going]
            left, problem = left[going], problem.of(going)
            at, scores, gradient = at[:, going], scores[:, going], gradient[:, going]
            pairs = [(step[:, going], change[:, going]) for step, change in pairs]
        if not len(left) or iteration == max_iter:
            break
        direction = _direction(gradient, pairs)
        moved = problem.scores(direction)
        length = _length(problem, at, scores, gradient, direction, moved)
        step = length * direction
        at, scores, before = at + step, scores + length * moved, gradient
        gradient = problem.gradient(at, logistic(scores))
        pairs = [*pairs[1 - PAIRS :], (step, gradient - before)]
    found[:, left] = at
    return found, not len(left)


def _direction(gradient: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Returns the direction of L-BFGS for each label, (d + 1, k), of its last steps and what they changed."""
    direction = -gradient
    if not pairs:
        return direction
    # A step too short to be told from rounding changes nothing.
    inverses = [1 / np.maximum(column_products(step, change), SMALLEST) for step, change in pairs]
    shares = []
    for (step, change), inverse in zip(reversed(pairs), reversed(inverses), strict=True):
        shares.append((inverse * column_products(step, direction)).astype(np.float32))
        direction -= shares[-1] * change
    step, change = pairs[-1]
    direction *= (
        column_products(step, change) / np.maximum(column_products(change, change), SMALLEST)
    ).astype(np.float32)
    for (step, change), inverse, share in zip(pairs, inverses, reversed(shares), strict=True):
        direction += (share - inverse * column_products(change, direction)).astype(np.float32) * step
    return direction


def _length(
    problem: Problem,
    at: np.ndarray,
    scores: np.ndarray,
    gradient: np.ndarray,
    direction: np.ndarray,
    moved: np.ndarray,
) -> np.ndarray:
    """Returns how far each label goes, float32 (k,): to the lowest point of a parabola, or less.

    Scores are linear in the length, so that no try reads the rows.
    """
    shares, slope = logistic(scores), column_products(gradient, direction)
    # Squared coefficients at a length t: at the start, and what t and t^2 are multiplied with.
    squares = (
        column_products(at[:-1], at[:-1]),
        2 * column_products(at[:-1], direction[:-1]),
        column_products(direction[:-1], direction[:-1]),
    )
    curved = (
        column_products(problem.weights * shares * (1 - shares) * moved, moved) + problem.penalty * squares[2]
    )
    length = (-slope / np.maximum(curved, SMALLEST)).astype(np.float32)
    before = problem.losses(scores, squares[0])
    long = np.arange(len(length))
    for _ in range(HALVINGS):
        own = length[long]
        there = squares[0][long] + own * squares[1][long] + own**2 * squares[2][long]
        after = problem.of(long).losses(scores[:, long] + own * moved[:, long], there)
        long = long[after > before[long] * (1 + ROUNDING) + SUFFICIENT * own * slope[long]]
        if not len(long):
            break
        length[long] /= 2
    return length
