"""Stage one as a transformer of scikit-learn: images in, features out, each computed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import STAT_CACHE
from pipeline.cache.finding import all_entries
from pipeline.cache.locks import exclusive_lock
from pipeline.cache.lookup import look_up
from pipeline.errors import CacheMismatchError, UnreadableImagesError, UsageError
from pipeline.extraction import FeatureRequest, extract
from pipeline.extraction.continuing import continued, settle_resize
from pipeline.images import BadImage
from pipeline.images.given_rows import GivenRows, gather_rows
from pipeline.paths import expanded
from pipeline.spec import RAW, FeatureSpec
from pipeline.wording import counted, first_few, verb

LOCKS = ".given"
"""Folder of a cache with the locks of those who are about to compute features of given images."""
_SHOWN = 3


class CachedFeatures(TransformerMixin, BaseEstimator):
    """Features of a frozen base for pipelines of scikit-learn; none is ever computed twice.

    A row is known by what is in the image and by what determines its features, so subsets, shuffles,
    ``cross_val_score`` and ``GridSearchCV`` find what an earlier fit has left, and so does ``pipeline
    extract``, whose rows are found here, too. What is new is computed in one pass of stage one and stays in
    the cache, as data sets ``images-...``; a fit that is killed goes on where it was. Several threads and
    processes may share a cache. Pickled are the options, not the features.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> model = make_pipeline(CachedFeatures("mobilenet_v2", image_size=224), LogisticRegression())
        >>> model.fit(paths, labels).predict(["new.jpg"])

    Args:
        backbone: A row of the table that ``pipeline backbones`` shows, or an ``.onnx`` or ``.tflite`` file.
        image_size: Height and width in pixels; None = the base's own.
        weights: ``imagenet``, ``random[:seed]``, ``auto`` or a weights file.
        layer: Where to cut, ``layer`` or ``layer:pooling``; None = the base's last. A list of several cuts
            puts their features side by side.
        pooling: ``none``, ``avg``, ``max`` or ``cls`` for layers that do not say; raw pixels have none.
        cache: Folder of the cache.
        engine: What runs the base; ``auto`` = the fastest here, or what made stored features of most images.
        precision: Its arithmetic, likewise; ``int8`` belongs to a whole data set and is not to be had here.
        store: dtype on disk, ``float16`` or ``float32``.
        resize: How pictures are resized; ``auto`` as for ``engine``.
        pixel_range: Black and white of pixels deeper than 8 bits, ``LOW..HIGH``; empty = found in ``fit``, so
            that features of other folds are others.
        batch_size: Images in a forward pass; None = the fastest here.

    Attributes:
        specs_: What determines the features of each cut.
        n_computed_: Rows that went through the base for the last ``fit`` or ``transform``.
        n_features_out_: Number of columns.
    """

    specs_: list[FeatureSpec]
    n_computed_: int
    n_features_out_: int

    def __init__(
        self,
        backbone: str = "vgg16",
        *,
        image_size: int | None = None,
        weights: str = "imagenet",
        layer: str | Sequence[str] | None = None,
        pooling: str = "avg",
        cache: str | os.PathLike[str] = "features_cache",
        engine: str = "auto",
        precision: str = "auto",
        store: str = "float16",
        resize: str = "auto",
        pixel_range: str = "",
        batch_size: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.image_size = image_size
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.cache = cache
        self.engine = engine
        self.precision = precision
        self.store = store
        self.resize = resize
        self.pixel_range = pixel_range
        self.batch_size = batch_size

    def fit(self, X: Any, y: Any = None) -> CachedFeatures:
        """Settles what is left open, and brings the features of some images into the cache.

        Args:
            X: n images: paths, encoded images as bytes, Pillow images, or uint8 arrays (H, W, 3), mixed as
                one likes, as a list, an array or a pandas column; or one array (n, H, W, 3).
            y: Not looked at.

        Raises:
            UsageError: An option cannot be used, or something is no image.
            UnreadableImagesError: Some images cannot be read; the features of all others are kept.
            PipelineError: The cache cannot be written; all finished rows are kept.
        """
        self._fitted(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Does what :meth:`fit` and :meth:`transform` do, with one look at the images and at the cache."""
        return _side_by_side(self._fitted(X))

    def _fitted(self, X: Any) -> list[np.ndarray]:
        """Settles what is left open; returns the features of each cut, (n, ...) as stored."""
        images, asked, cache = self._gathered(X), self._request(), expanded(self.cache)
        weights = asked.base.weights(asked.weights, asked.image_size, stat_cache=cache / STAT_CACHE)
        with _alone(cache, asked):
            request = _settled(asked, weights, images, cache)
            if request is None:
                reports = extract(images.source, asked, cache=cache, name=images.source.name)
                _refuse_unreadable([one for report in reports for one in report.failures])
                self.specs_ = [report.entry.spec for report in reports]
                self.n_computed_ = max(report.computed for report in reports)
            else:
                self.specs_ = request.specs(weights)
                self.n_computed_ = 0
        found, computed = self._features(images)
        self.n_computed_ += computed
        self._shapes = [one.shape[1:] for one in found]
        self.n_features_out_ = sum(int(np.prod(shape)) for shape in self._shapes)
        return found

    def transform(self, X: Any) -> np.ndarray:
        """Returns the features of n images, float32 (n, ``n_features_out_``), in their order.

        Args:
            X: As for :meth:`fit`.

        Raises:
            UsageError: Something is no image, or has deeper pixels than those that were fitted on.
            UnreadableImagesError: Some images cannot be read; the features of all others are kept.
            CacheMismatchError: The filters are others than those in ``fit``.
        """
        check_is_fitted(self, "specs_")
        found, self.n_computed_ = self._features(self._gathered(X))
        return _side_by_side(found)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Returns the names of the columns, ``<layer>_<number>``, object (``n_features_out_``,).

        Args:
            input_features: Not looked at: images have no names.
        """
        check_is_fitted(self, "specs_")
        names = [
            f"{spec.layer}_{number}"
            for spec, shape in zip(self.specs_, self._shapes, strict=True)
            for number in range(int(np.prod(shape)))
        ]
        return np.array(names, object)

    def __sklearn_tags__(self) -> Tags:
        """Says that rows are images: neither numbers nor two-dimensional."""
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _request(self) -> FeatureRequest:
        options = self.get_params(deep=False)
        layer = options.pop("layer")
        del options["cache"]
        request = FeatureRequest(
            **options
            | {
                "backbone": os.fspath(self.backbone),
                "weights": os.fspath(self.weights),
                "layers": (layer,) if isinstance(layer, str) else tuple(layer or ()),
                "pooling": "none" if self.backbone == RAW else self.pooling,
                "image_size": self.image_size or 0,
            }
        )
        if request.precision == "int8":
            raise UsageError(
                "precision int8 is calibrated on the training images of a data set, and a transformer sees "
                "other ones in every fold: choose auto, or `pipeline extract --precision int8`"
            )
        return request

    def _gathered(self, X: Any) -> GivenRows:
        images = gather_rows(X, expanded(self.cache) / STAT_CACHE)
        _refuse_unreadable(images.manifest.unreadable)
        return images

    def _features(self, images: GivenRows) -> tuple[list[np.ndarray], int]:
        """Returns the features of each cut, (n, ...) as stored, and how many rows had to be computed."""
        cache, first = expanded(self.cache), self.specs_[0]
        if len(images.manifest.census) and not first.pixel_range:
            raise UsageError(
                "some of these images have more than 8 bits, and none of those had that this was fitted on: "
                "say what is black and white with pixel_range='LOW..HIGH'"
            )
        request = replace(
            self._request(), engine=first.engine, resize=first.resize, pixel_range=first.pixel_range
        )
        if first.engine != RAW:
            request = replace(request, precision=first.precision)
        found, missing = self._stored(images, cache)
        if not len(missing):
            return found, 0
        self._refuse_other_filters(request, cache)
        with _alone(cache, request):  # whoever was at it may have made them
            found, missing = self._stored(images, cache)
            if not len(missing):
                return found, 0
            lacking = images.only(missing)
            reports = extract(lacking, request, cache=cache, name=lacking.name)
        _refuse_unreadable([one for report in reports for one in report.failures])
        found, missing = self._stored(images, cache)
        if len(missing):
            raise CacheMismatchError(
                f"features of {counted(len(missing), 'image')} cannot be read back from {cache}: "
                f"`pipeline cache verify --cache {cache}` says what is damaged"
            )
        return found, max(report.computed for report in reports)

    def _stored(self, images: GivenRows, cache: Path) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns what is stored of each cut, and the distinct images of which something is missing."""
        found, there = [], np.ones(len(images.images), bool)
        for spec in self.specs_:
            features, here = look_up(cache, spec, images.images)
            if not here.all() and spec.pixel_range:  # sets without deep pixels have no range
                plain, also = look_up(cache, replace(spec, pixel_range=""), images.images)
                if plain is not None:
                    features = plain if features is None else np.where(_column(here, plain), features, plain)
                    here |= also
            there &= here
            if features is not None:
                found.append(features[images.order])
        return found, np.flatnonzero(~there)

    def _refuse_other_filters(self, request: FeatureRequest, cache: Path) -> None:
        weights = request.base.weights(request.weights, request.image_size, stat_cache=cache / STAT_CACHE)
        for known, spec in zip(self.specs_, request.specs(weights), strict=True):
            if spec != known:
                listed = ", ".join(
                    f"{name} {old} -> {new}" for name, (old, new) in known.differences(spec).items()
                )
                raise CacheMismatchError(
                    f"these options are others than those of the fit ({listed}): fit again"
                )


def _settled(
    request: FeatureRequest, weights: Weights, images: GivenRows, cache: Path
) -> FeatureRequest | None:
    """Settles a request by what made the stored features of most images; None where that leaves it open."""
    stored = all_entries(cache)
    request = settle_resize(continued(request, weights, stored, images.manifest, cache / images.source.name))
    base_open = request.engine != RAW and "auto" in (request.engine, request.precision)
    range_open = len(images.manifest.census) and not request.pixel_range
    return None if base_open or range_open else request


@contextmanager
def _alone(cache: Path, request: FeatureRequest) -> Iterator[None]:
    """Holds the right to compute features of given images for a base; others wait, and then find them."""
    cuts = ",".join(map(str, request.cuts))
    name = hashlib.sha256(f"{request.base.name} {request.image_size} {cuts}".encode()).hexdigest()[:16]
    with exclusive_lock(cache / LOCKS / name):
        yield


def _side_by_side(cuts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([cut.reshape(len(cut), -1) for cut in cuts], axis=1, dtype=np.float32)


def _column(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    return mask.reshape(-1, *[1] * (like.ndim - 1))


def _refuse_unreadable(failures: Sequence[BadImage]) -> None:
    """Refuses images that gave no features.

    Raises:
        UnreadableImagesError: There are some.
    """
    if failures:
        distinct = list({one.id: one for one in failures}.values())
        listed = first_few([f"{one.id}: {one.reason}" for one in distinct], _SHOWN)
        raise UnreadableImagesError(
            f"{counted(len(distinct), 'image')} {verb(len(distinct))} unreadable ({listed}); the features of "
            "all others are kept: leave these out, or mend them"
        )
