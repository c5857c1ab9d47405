"""Fine-tuning: the rest of the base above the cached cut is trained together with a head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import History, Task
from pipeline.heads._keras.base_rest import REST, BaseRest, in_inference
from pipeline.heads._keras.feeding import Feed, MemoryFeed, open_feeds
from pipeline.heads._keras.fitting import Schedule, rank, train_network
from pipeline.heads._keras.keras_head import BASE, KerasHead, TrainedNetwork
from pipeline.heads._keras.layers import Dropout, classifier
from pipeline.heads._keras.network import KerasModel, fit_scaling, forward_pass, sequential
from pipeline.options import Count, PositiveFloat, Share
from pipeline.progress import say
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras

POOL, TOP = "pool", "top"


@dataclass(frozen=True, kw_only=True)
class Finetune(KerasHead):
    """The rest of the base above the cut, from its own filters, and a new top; on pixels the whole base.

    Two phases: first the top learns on the frozen rest, whose outputs are computed once; then both learn at
    a low rate, because the large gradients of an untrained top would undo what the base knows. Batch norm
    keeps its statistics in both. Validation rows choose between the epochs of both phases.

    Source: F. Chollet, Deep Learning with Python (2nd ed.), section 8.3.2; keras.io, "Transfer learning and
    fine-tuning".

    Attributes:
        epochs: Most epochs of the second phase.
        learning_rate: Step width in the second phase.
        head_epochs: Most epochs of the first phase.
        head_rate: Step width in the first phase.
        top_layers: How many layers at the end of the base learn in the second phase; none = all of them.
        dropout: Share of the pooled outputs of the base that is dropped while training.
        backbone: The base to train on ``pixels``; other features name theirs themselves.
        weights: File of its filters, ``imagenet`` or ``random:SEED``; needed on ``pixels``, and where the
            file that made the features has moved.
    """

    takes: ClassVar[str] = BASE
    targets: ClassVar = frozenset()
    convolves: ClassVar[bool] = True

    epochs: Count = 20
    learning_rate: PositiveFloat = 3e-5
    patience: Count = 5

    head_epochs: Count = 50
    head_rate: PositiveFloat = 1e-3
    top_layers: Count | None = None
    dropout: Share = 0.5
    backbone: str | None = None
    weights: str | None = None

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Makes that of the second phase: Adam, under which the val loss jumps less than under RMSprop."""
        return import_keras().optimizers.Adam(self.learning_rate)

    def build(self, task: Task) -> keras.Model:
        """Builds the rest of the base, with preprocessing for pixels, and the top."""
        return self._build(task, self._rest(task).untrained())

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[KerasModel, History]:
        """Trains the top, then top and base.

        Raises:
            UsageError: The features cannot be continued, or the filters of the base are not at hand.
            PipelineError: A feature is not a finite number, or the training diverged.
        """
        self.refuse_other_kind(task)
        import_keras().utils.set_random_seed(seed)
        network = self._build(task, self._rest(task).pretrained(self.weights, train.source.weights_file))
        rows, held_out = open_feeds(train, valid, class_weight=self.class_weight, views=self.views)
        if valid is None:
            say("note: no validation rows, so all epochs of both phases run and the last one counts")
        say("phase 1: the top, on the outputs of the frozen base")
        first = self._train_top(network, rows, held_out, seed)
        say("phase 2: the top and the base")
        model = KerasModel(network)
        second = train_network(
            model,
            self.optimizer(),
            rows,
            held_out,
            self._schedule(self.epochs, "learning_rate", seed),
            start=self._reached(first),
        )
        return model, {name: first[name] + second[name] for name in first}

    def load(self, path: Path, task: Task) -> KerasModel:
        """Builds the rest of the base and the top, and fills in the weights."""
        return self.load_network(path, task)

    def to_network(self, model: TrainedNetwork, task: Task) -> keras.Model:
        """Connects the trained layers anew, without the wrapper, which only training needs."""
        keras = import_keras()
        rest, pool, top = map(model.network.get_layer, (REST, POOL, TOP))
        inputs = keras.Input(task.feature_shape)
        return keras.Model(inputs, top(pool(rest.base(self._rest(task).preprocessed(inputs)))))

    def _train_top(self, network: keras.Model, rows: Feed, held_out: Feed | None, seed: int) -> History:
        keras = import_keras()
        top = network.get_layer(TOP)
        base = forward_pass(keras.Model(network.input, network.get_layer(POOL).output))

        def through_base(feed: Feed) -> Feed:
            outputs = np.concatenate(list(map(base, feed.blocks())))
            return MemoryFeed(outputs, feed.labels, feed.weights, feed.images)

        outputs = through_base(rows)
        fit_scaling(top, outputs.blocks())
        return train_network(
            KerasModel(top),
            keras.optimizers.RMSprop(self.head_rate),
            outputs,
            None if held_out is None else through_base(held_out),
            self._schedule(self.head_epochs, "head_rate", seed),
        )

    def _reached(self, history: History) -> tuple[float, float] | None:
        """Returns validation loss and accuracy of the epoch that was kept; None without such rows."""
        reached = list(zip(history.get("val_loss", []), history.get("val_accuracy", []), strict=True))
        return min(reached, key=lambda pair: rank(pair[0], pair[1], self.keep), default=None)

    def _schedule(self, epochs: int, rate_option: str, seed: int) -> Schedule:
        return Schedule(
            epochs=epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            rate_option=rate_option,
            seed=seed,
            average=self.average,
            keep=self.keep,
            may_compile=False,
        )

    def _rest(self, task: Task) -> BaseRest:
        return BaseRest(task.spec, self.backbone)

    def _build(self, task: Task, rest: keras.Model) -> keras.Model:
        keras = import_keras()
        if self.top_layers is not None:
            for layer in rest.layers[: -self.top_layers]:
                layer.trainable = False
        inputs = keras.Input(task.feature_shape)
        outputs = in_inference(rest)(self._rest(task).preprocessed(inputs))
        pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(outputs)
        top_task = Task(task.spec, tuple(pooled.shape[1:]), task.n_classes)
        top = sequential(top_task.feature_shape, classifier(top_task, [Dropout(self.dropout)]))
        top.name = TOP
        return keras.Model(inputs, top(pooled))


HEAD = Finetune
