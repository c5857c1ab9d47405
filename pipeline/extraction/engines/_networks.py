"""Networks of OpenVINO: the Keras base converted, or quantised to int8; both are kept for every later run."""

from __future__ import annotations

import contextlib
import io
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.backbones.loading import load_backbone
from pipeline.cache.converted_bases import ConvertedBase
from pipeline.cache.locks import exclusive_lock
from pipeline.cache.networks import DEPTH, FILES, RECORD, is_whole, made_in, sha256_of
from pipeline.errors import UsageError
from pipeline.extraction.calibration import QuantisedNetwork
from pipeline.files import refuse_foreign, written
from pipeline.files import replace as replace_file
from pipeline.progress import say
from pipeline.runtimes.keras import import_keras
from pipeline.runtimes.openvino import import_nncf, import_openvino
from pipeline.wording import counted

if TYPE_CHECKING:
    import openvino
    import tensorflow as tf

    from pipeline.backbones.weights import Weights
    from pipeline.extraction.request import FeatureRequest
    from pipeline.extraction.settle import SettledRequest
    from pipeline.images.manifest import Manifest


def kept_base(request: SettledRequest, weights: Weights) -> openvino.Model:
    """Returns the base of a request converted: as the cache keeps it, or made now and kept there.

    Returns:
        A model as of ``convert_base``.

    Raises:
        UsageError: As ``convert_base``.
    """
    openvino = import_openvino()
    if request.cache is None:
        return convert_base(request, weights)
    base = ConvertedBase(request.cache, request.specs(weights))

    def save(model: Any, path: Path) -> None:
        try:
            openvino.save_model(model, path, compress_to_fp16=False)
        except RuntimeError as error:  # a full disk, too
            raise OSError(f"OpenVINO cannot write it: {_reason(error)}") from error

    def load(graph: bytes, filters: bytes) -> Any:
        try:
            return openvino.Core().read_model(graph, openvino.Tensor(np.frombuffer(filters, np.uint8)))
        except RuntimeError as error:
            raise ValueError(f"OpenVINO cannot read it: {_reason(error)}") from error

    return base.read_or_make(lambda: convert_base(request, weights), save=save, load=load)


def convert_base(request: FeatureRequest, weights: Weights) -> openvino.Model:
    """Loads the base of a request with Keras and converts its traced graph.

    Returns:
        A model from uint8 (n, image_size, image_size, 3) RGB, n open, to one float32 output
        (n, *feature shape) per cut, each found by the cut's name: OpenVINO keeps no order.

    Raises:
        UsageError: OpenVINO is not installed or cannot convert the base, a layer is unknown or no clean cut,
            or the weights do not fit.
    """
    openvino = import_openvino()  # before TensorFlow, which takes seconds to load
    keras = import_keras()
    import tensorflow as tf

    base = load_backbone(request.backbone, request.cuts, weights=weights, image_size=request.image_size)

    def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = keras.tree.flatten(base(images, training=False))
        return {str(cut): output for cut, output in zip(request.cuts, outputs, strict=True)}

    signature = tf.TensorSpec((None, *base.input_shape[1:]), tf.uint8, name="images")
    traced = tf.function(forward).get_concrete_function(signature)
    try:
        return openvino.convert_model(traced, share_weights=False)  # shared, they would live in TensorFlow
    except Exception as error:  # its frontends raise types of their own
        raise UsageError(
            f"OpenVINO cannot convert {request.backbone} ({_reason(error)}): choose --engine keras"
        ) from error


def _reason(error: Exception) -> str:
    """Returns the first line of a message that says more than where in OpenVINO it is from."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith("Exception from")), "no reason given")


def quantised_base(request: SettledRequest, weights: Weights) -> openvino.Model:
    """Returns the quantised networks of a request as one model; those that are not there whole are made.

    Args:
        request: With the networks it was settled on.
        weights: The filters of its base.

    Returns:
        A model as of ``convert_base``. Several cuts share its input and nothing else.

    Raises:
        UsageError: OpenVINO or NNCF is not installed, a layer is no clean cut, or the weights do not fit.
        PipelineError: Images that set ranges are gone, or the cache cannot be written.
    """
    openvino = import_openvino()
    networks = []
    for cut, network in zip(request.cuts, request.networks, strict=True):
        with exclusive_lock(network.folder, depth=DEPTH):
            if not is_whole(network.folder):
                base = convert_base(replace(request, layers=(str(cut),), networks=()), weights)
                _store(_quantise(base, network, request.manifest), network)
            networks.append(openvino.Core().read_model(network.folder / FILES[0]))
    (images,) = networks[0].get_parameters()
    for network in networks[1:]:
        for reader in network.inputs[0].get_target_inputs():
            reader.replace_source_output(images.output(0))
    return openvino.Model([result for network in networks for result in network.get_results()], [images])


def _quantise(base: openvino.Model, network: QuantisedNetwork, manifest: Manifest | None) -> openvino.Model:
    """Sets ranges, symmetric for weights, and corrects the shift that rounding leaves (NNCF)."""
    nncf = import_nncf()
    if manifest is None:
        raise AssertionError("a network that is not there was taken for whole")
    images, spec = network.images(manifest), network.spec
    say(
        f"int8: setting the ranges of {spec.backbone} up to {spec.layer} with "
        f"{counted(len(images), 'training image')}, once for this data set"
    )
    with contextlib.redirect_stdout(io.StringIO()):  # stdout belongs to data
        return nncf.quantize(
            base,
            nncf.Dataset([image[None] for image in images]),
            subset_size=len(images),
            preset=nncf.QuantizationPreset.MIXED,
        )


def _store(quantised: openvino.Model, network: QuantisedNetwork) -> None:
    """Writes the record last: a network without its checksums is not whole."""
    folder, root, known = network.folder, network.cache, made_in(network.folder)
    draft = folder / f"draft-{uuid.uuid4().hex[:8]}"
    for name in (*FILES, RECORD):
        refuse_foreign(folder / name, root=root, known=known)
    import_openvino().save_model(quantised, f"{draft}.xml", compress_to_fp16=False)
    for name in FILES:
        replace_file(draft.with_suffix(Path(name).suffix), folder / name, root=root, known=known)
    with written(folder / RECORD, root=root, known=known) as file:
        record = network.to_record({name: sha256_of(folder / name) for name in FILES})
        file.write(record.encode())
