"""Networks of OpenVINO: the base converted, or quantised to int8; both are kept for every later run."""

from __future__ import annotations

import contextlib
import io
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cache.converted_bases import ConvertedBase
from pipeline.cache.locks import exclusive_lock
from pipeline.cache.networks import DEPTH, FILES, RECORD, is_whole, made_in, sha256_of
from pipeline.extraction.calibration import QuantisedNetwork
from pipeline.files import refuse_foreign, written
from pipeline.files import replace as replace_file
from pipeline.progress import say
from pipeline.runtimes.openvino import import_nncf, import_openvino, reason_in
from pipeline.wording import counted

if TYPE_CHECKING:
    import openvino

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
            raise OSError(f"OpenVINO cannot write it: {reason_in(error)}") from error

    def load(graph: bytes, filters: bytes) -> Any:
        try:
            return openvino.Core().read_model(graph, openvino.Tensor(np.frombuffer(filters, np.uint8)))
        except RuntimeError as error:
            raise ValueError(f"OpenVINO cannot read it: {reason_in(error)}") from error

    return base.read_or_make(lambda: convert_base(request, weights), save=save, load=load)


def convert_base(request: FeatureRequest, weights: Weights) -> openvino.Model:
    """Builds the base of a request for OpenVINO, see ``Base.to_openvino``."""
    return request.base.to_openvino(request.cuts, weights, request.image_size)


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
