"""Evidence: what in a picture spoke for its class, label or number, place by place, and a drawing of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.evidence_scores import SCORES, Scores
from pipeline.heads import TrainedHead

SAMPLE = 256
"""Training images whose mean is the usual picture."""
FOR, AGAINST = (255, 106, 0), (0, 90, 255)
MOST_SIDE = 8
"""Places along a side; finer maps are taken in blocks, and the evidence of one is spread over it."""
SUREST, LEAST_SHARE = 1e-3, 1 / 64
"""What an answer has to leave to others, at least: in single precision, less is lost in rounding."""
STRONGEST = 0.65
"""How much of a picture the colour of its strongest place covers."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What each place of a map of features adds to the score of a class, to a label or to a number.

    A place is put to the test by giving it the features of the usual picture, the mean of training images at
    that place: what the score of the class loses by it is the evidence of the place (occlusion, as in M. D.
    Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, of features instead
    of pixels). The score is the logarithm of the class's probability, less the mean logarithm of the others;
    of a label, the logarithm of its odds; of a number, its value. Where probabilities are the softmax, or
    the logistic function, of linear scores, it is linear, and the evidence of all places sums
    exactly to what tells the picture from the usual one; other heads answer for each place by itself. Where
    a head is so sure that its probabilities no longer tell differences, the picture is faded first.

    Attributes:
        head: The head, without a temperature, which would only scale.
        usual: float32 (height, width, channels), the features of the usual picture.
    """

    head: TrainedHead
    usual: np.ndarray

    @classmethod
    def of(cls, head: TrainedHead, train: FeatureSet) -> Evidence:
        """Makes it from the training split.

        Raises:
            UsageError: The features have no places: they are averaged over them, tokens, or of several cuts.
            CacheMismatchError: A row is damaged.
        """
        shape = head.task.feature_shape
        if len(train.cuts) > 1:
            raise UsageError(
                "features of several cuts stand side by side and do not tell places apart, so there is no "
                "evidence to be drawn: train a head on one of them, with --layer"
            )
        if len(shape) != 3 or shape[0] * shape[1] < 2:
            raise UsageError(
                f"features of shape {shape} do not tell places apart, so there is no evidence to be drawn: "
                "`pipeline extract --pooling none` makes features that do"
            )
        originals = np.flatnonzero(train.rows.views == 0)
        index = originals[:: max(1, len(originals) // SAMPLE)][:SAMPLE]
        total = np.zeros(shape)
        for start in range(0, len(index), 32):
            total += train.read(index[start : start + 32]).sum(axis=0, dtype=np.float64)
        return cls(replace(head, temperature=None), (total / max(len(index), 1)).astype(np.float32))

    def of_class(self, features: np.ndarray, label: int) -> np.ndarray:
        """Returns what each place adds to the score of a class, float64 (height, width).

        Args:
            features: Of one image, (height, width, channels) in the stored dtype.
            label: The class, one that had training rows; or the place of a label or number.
        """
        picture, share = self._faded(features.astype(np.float32), label)
        places = [(top, left) for top in _blocks(features.shape[0]) for left in _blocks(features.shape[1])]
        changed = np.repeat(picture[None], len(places) + 1, axis=0)
        for one, place in zip(changed, places, strict=False):  # the last one stays as it is
            one[place] = self.usual[place]
        scores = self.score(changed, label)
        found = np.empty(features.shape[:2])
        for place, lost in zip(places, scores[-1] - scores[:-1], strict=True):
            found[place] = lost / found[place].size / share
        return found

    def _faded(self, features: np.ndarray, label: int) -> tuple[np.ndarray, float]:
        """Brings a picture so near to the usual one that probabilities tell how sure the head is.

        Returns:
            Its features, and the share that is left of what tells it from the usual picture.
        """
        share, faded = 1.0, features
        while share > LEAST_SHARE and self._doubt(faded, label) < SUREST:
            share /= 2
            faded = self.usual + np.float32(share) * (features - self.usual)
        return faded, share

    def _doubt(self, features: np.ndarray, label: int) -> float:
        return self._scores.doubt(self._scores.ask(self.head, features[None])[0], label)

    @property
    def _scores(self) -> Scores:
        return SCORES[self.head.task.target]

    def score(self, features: np.ndarray, label: int) -> np.ndarray:
        """Returns the score of a class for some features (n, height, width, channels), float64 (n,)."""
        return self._scores.score(self.head, self._scores.ask(self.head, features), label)


def _blocks(side: int) -> list[slice]:
    size = -(-side // MOST_SIDE)
    return [slice(start, min(start + size, side)) for start in range(0, side, size)]


def drawn(picture: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Lays evidence over a picture: orange where it speaks for the answer, blue where against.

    Args:
        picture: uint8 (size, size, 3), RGB.
        evidence: float (height, width), of the same square; its strongest place is the most coloured.

    Returns:
        uint8 (size, size, 3).
    """
    size = picture.shape[1], picture.shape[0]
    strongest = np.abs(evidence).max() or 1.0
    shares = Image.fromarray((evidence / strongest).astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(shares), -1, 1)[:, :, None]
    colour = np.where(share > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    cover = STRONGEST * np.abs(share)
    # Half of the way to grey, so that colours of its own mislead less.
    grey = (picture.mean(axis=2, keepdims=True) + picture) / 2
    return np.clip((1 - cover) * grey + cover * colour, 0, 255).astype(np.uint8)
