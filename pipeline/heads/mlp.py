"""Multi-layer perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.dense_layers import DenseLayer
from pipeline.heads._sklearn.sklearn_head import LayeredHead, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.threads import single_thread
from pipeline.options import Count, PositiveFloat

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier


@dataclass(frozen=True, kw_only=True)
class Mlp(LayeredHead):
    """Multi-layer perceptron of scikit-learn: a small network without Keras.

    It runs all its epochs; the Keras heads stop early on validation rows.

    Attributes:
        hidden: Widths of the hidden layers.
        alpha: Strength of the L2 penalty.
        epochs: Passes over the rows.
        batch_size: Rows a step; all rows where there are fewer.
        learning_rate: Step width of Adam at the start.
    """

    types: ClassVar = frozenset(
        {
            "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
            "sklearn.preprocessing._label.LabelBinarizer",
        }
    )

    hidden: tuple[Count, ...] = (64,)
    alpha: PositiveFloat = 1.0
    epochs: Count = 10
    batch_size: Count = 200
    learning_rate: PositiveFloat = 1e-3

    def learn(self, train: Examples, seed: int) -> Steps:
        """Trains with Adam; the seed draws weights and order."""
        from sklearn.neural_network import MLPClassifier

        network = MLPClassifier(
            self.hidden,
            alpha=self.alpha,
            batch_size=min(self.batch_size, len(train)),
            learning_rate_init=self.learning_rate,
            max_iter=self.epochs,
            n_iter_no_change=self.epochs,
            random_state=seed,
        )
        values = train.once(standardised).values
        with single_thread(values.nbytes):
            network.fit(values, train.labels)
        # State that only more training would need, twice the size of the weights and no plain data.
        del network._optimizer, network._random_state
        return (network,)

    def dense_layers(self, classifier: MLPClassifier) -> list[DenseLayer]:
        """Writes its own layers, with two scores for two classes instead of one."""
        from pipeline.heads._sklearn.scores import both_sides

        *hidden, (kernel, bias) = zip(classifier.coefs_, classifier.intercepts_, strict=True)
        last = DenseLayer(both_sides(kernel), both_sides(bias[None])[0])
        return [*(DenseLayer(*layer, classifier.activation) for layer in hidden), last]

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Weights, gradients and two moments, in a network whose first layer is the largest by far."""
        return 20 * columns * self.hidden[0]


HEAD = Mlp
