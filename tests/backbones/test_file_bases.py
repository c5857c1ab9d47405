"""A base in a file: where it can be cut, what it computes there, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_files import BIT, PATCH, SIDE, TOML, WIDTH, constant, convnet, drawn, model, save, transformer

from pipeline.backbones.file_base import FileBase
from pipeline.backbones.finding import find_base, is_file_address
from pipeline.backbones.graph import prefix_tokens
from pipeline.backbones.table import Cut
from pipeline.errors import UsageError

node = helper.make_node
SECOND = helper.make_tensor_value_info("second", TensorProto.FLOAT, ("n", 3, SIDE, SIDE))
PLAIN = (
    TOML.replace('"1/255"', "1.0")
    .replace("[0.4, 0.5, 0.6]", "[0.0, 0.0, 0.0]")
    .replace("[0.2, 0.25, 0.5]", "[1.0, 1.0, 1.0]")
)
SMALL = SIDE // PATCH
MEAN, STD = np.array(BIT["image_mean"]), np.array(BIT["image_std"])


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


def computed(path: Path, pictures: np.ndarray, *cuts: str | None, size: int = SIDE) -> list[np.ndarray]:
    """Runs a base on pictures as the engine does, in float32; None stands for its default cut."""
    import openvino

    base = find_base(str(path))
    wanted = [Cut.parse(cut or base.layer) for cut in cuts]
    network = base.to_openvino(wanted, base.weights("imagenet", size), size)
    compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(pictures)
    return [found[compiled.output(str(cut))] for cut in wanted]


def expected(path: Path, pictures: np.ndarray, *tensors: str) -> list[np.ndarray]:
    """Runs the same file with ONNX Runtime, on pictures prepared by hand."""
    loaded = onnx.load_model(path)
    known = {one.name for one in loaded.graph.output}
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in known)
    session = onnxruntime.InferenceSession(loaded.SerializeToString(), providers=["CPUExecutionProvider"])
    prepared = ((pictures / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    return session.run(list(tensors), {session.get_inputs()[0].name: prepared})


def assert_close(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())


def test_maps_have_their_channels_last_and_vectors_are_vectors(tmp_path: Path, pictures: np.ndarray) -> None:
    path = save(convnet(), tmp_path / "net.onnx")
    base = find_base(str(path))
    assert (base.name, base.layer, base.own_size) == ("net.onnx", "map", SIDE)
    found = computed(path, pictures, "map", "map:avg", "map:max", "vector", "stem.relu")
    maps, vector, stem = expected(path, pictures, "map", "vector", "stem.relu")
    maps, stem = maps.transpose(0, 2, 3, 1), stem.transpose(0, 2, 3, 1)
    assert_close(found, [maps, maps.mean((1, 2)), maps.max((1, 2)), vector, stem])


@pytest.mark.parametrize("registers", [0, 4])
def test_tokens_have_a_class_token_and_patches(registers: int, tmp_path: Path, pictures: np.ndarray) -> None:
    path = save(transformer(registers=registers), tmp_path / "vit.onnx")
    assert find_base(str(path)).layer == "tokens"
    found = computed(path, pictures, "tokens", "tokens:cls", "tokens:avg", "tokens:max", "layer.0")
    tokens, layer = expected(path, pictures, "tokens", "layer.0")
    patches = tokens[:, 1 + registers :]
    assert patches.shape[1] == SMALL**2
    assert_close(found, [tokens, tokens[:, 0], patches.mean(1), patches.max(1), layer])


def test_a_network_is_shown_bgr_where_its_file_says_so(tmp_path: Path, pictures: np.ndarray) -> None:
    rgb = save(convnet(), tmp_path / "rgb.onnx", config=PLAIN)
    bgr = save(convnet(), tmp_path / "bgr.onnx", config=PLAIN.replace('"rgb"', '"bgr"'))
    assert_close(computed(bgr, pictures, "map"), computed(rgb, pictures[..., ::-1].copy(), "map"))


def test_half_precision_and_whole_numbers_are_taken(tmp_path: Path, pictures: np.ndarray) -> None:
    halves = model(
        [node("Conv", ["pixels", "weight"], ["map"])],
        {"weight": drawn(4, 3, 3, 3, seed=0).astype(np.float16)},
        {},
        kind=TensorProto.FLOAT16,
    )
    halves.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT16, ("n", 4, 14, 14)))
    (found,) = computed(save(halves, tmp_path / "half.onnx"), pictures, "map")
    assert (found.shape, found.dtype) == ((3, 14, 14, 4), np.float32)
    whole = model(
        [node("Cast", ["pixels"], ["map"], to=TensorProto.FLOAT)],
        {},
        {"map": ("n", SIDE, SIDE, 3)},
        shape=("n", SIDE, SIDE, 3),
        kind=TensorProto.UINT8,
    )
    (found,) = computed(save(whole, tmp_path / "whole.onnx", config=PLAIN), pictures, "map")
    np.testing.assert_array_equal(found, pictures)
    with pytest.raises(UsageError, match=r"whole numbers from 0 to 255, and .*whole\.toml scales them"):
        find_base(str(save(whole, tmp_path / "whole.onnx", config=TOML)))


def test_the_cuts_are_those_that_determine_the_rest(tmp_path: Path) -> None:
    cuts = find_base(str(save(convnet(), tmp_path / "net.onnx"))).cuts(SIDE)
    shape = (SMALL, SMALL, WIDTH)
    assert dict(cuts).keys() == {"stem", "stem.relu", "map", "mean", "vector"}  # not "block": its shortcut
    assert [dict(cuts)[name] for name in ("stem", "map", "vector")] == [shape, shape, (WIDTH,)]
    cuts = find_base(str(save(transformer(), tmp_path / "vit.onnx"))).cuts(SIDE)
    assert {"embedded", "layer.0", "tokens"} <= dict(cuts).keys()
    assert dict(cuts).keys().isdisjoint({"normed", "attention", "classes", "shape"})


def test_a_graph_of_any_size_takes_pictures_of_any(tmp_path: Path) -> None:
    base = find_base(str(save(convnet(side="any"), tmp_path / "net.onnx")))
    for size in (SIDE, 32):
        assert dict(base.cuts(size))["map"] == (size // PATCH, size // PATCH, WIDTH)
    fixed = find_base(str(save(convnet(), tmp_path / "fixed.onnx")))
    with pytest.raises(UsageError, match=r"--image-size 32: fixed\.onnx takes pictures of 16 pixels only"):
        fixed.check_size(32)
    with pytest.raises(UsageError, match=r"--image-size -1 is too small for net\.onnx"):
        base.check_size(-1)


def test_the_identity_is_that_of_all_files(tmp_path: Path) -> None:
    path = save(convnet(), tmp_path / "net.onnx")
    plain = find_base(str(path)).weights("imagenet", SIDE)
    assert plain.path == plain.named == path
    onnx.save_model(convnet(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    outside = find_base(str(path)).weights("imagenet", SIDE).identity
    data = tmp_path / "net.data"
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    assert len({plain.identity, outside, find_base(str(path)).weights("auto", SIDE).identity}) == 3
    with pytest.raises(UsageError, match="leave --weights out"):
        find_base(str(path)).weights("random", SIDE)


def test_a_base_travels_to_other_processes(tmp_path: Path) -> None:
    base = find_base(str(save(convnet(), tmp_path / "net.onnx")))
    assert base.layer == "map"
    again = pickle.loads(pickle.dumps(base))  # noqa: S301
    assert (again, again.preprocessing) == (base, base.preprocessing)


def of_batch(*, across: bool = False) -> onnx.ModelProto:
    """A network with a batch of one built in, or one that mixes the pictures of a batch."""
    filters = {"sides": np.array([1, 3 * SIDE * SIDE], np.int64)}
    if across:
        nodes = [node("ReduceMean", ["pixels"], ["mean"], axes=[0], keepdims=1)]
        nodes.append(node("Sub", ["pixels", "mean"], ["map"]))
        return model(nodes, {}, {"map": ("n", 3, SIDE, SIDE)})
    return model([node("Reshape", ["pixels", "sides"], ["vector"])], filters, {"vector": (1, 3 * SIDE**2)})


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (constant(np.nan), r"not finite \(NaN"),
        (constant(np.inf), "not finite"),
        (of_batch(), "for any batch|batch axis"),
        (of_batch(across=True), "depend on the one beside it: export it with an open batch axis"),
        (
            model([node("Relu", ["pixels"], ["map"])], {}, {"map": ("n", 1, 28, 28)}, shape=("n", 1, 28, 28)),
            r"no three colours",
        ),
        (
            model([node("Relu", ["pixels"], ["rows"])], {}, {"rows": ("n", 10)}, shape=("n", 10)),
            "which is no picture",
        ),
        (
            model([node("Relu", ["pixels"], ["map"])], {}, {"map": ("n", 3, 8, 16)}, shape=("n", 3, 8, 16)),
            "no square",
        ),
        (
            model(
                [node("Add", ["pixels", "second"], ["map"])],
                {},
                {"map": ("n", 3, SIDE, SIDE)},
                more_inputs=[SECOND],
            ),
            "2 inputs .pixels, second., and one that is a picture is needed",
        ),
        (
            model([node("NonZero", ["pixels"], ["map"])], {}, {"map": (4, "k")}),
            "none of its outputs is a map",
        ),
        (model([node("NoSuchThing", ["pixels"], ["map"])], {}, {"map": ("n", 3)}), "OpenVINO cannot read it"),
    ],
)
def test_what_cannot_be_a_base_is_refused_in_one_line(
    network: onnx.ModelProto, words: str, tmp_path: Path
) -> None:
    path = save(network, tmp_path / "net.onnx")
    with pytest.raises(UsageError, match=words) as refused:
        computed(path, np.zeros((1, SIDE, SIDE, 3), np.uint8), None)
    assert "\n" not in str(refused.value)
    assert "net.onnx" in str(refused.value)


def test_a_huge_tensor_is_refused_before_it_is_made(tmp_path: Path) -> None:
    nodes = [
        node("GlobalAveragePool", ["pixels"], ["mean"]),
        node("ConstantOfShape", ["sides"], ["zeros"]),
        node("Add", ["mean", "zeros"], ["map"]),
    ]
    sides = {"sides": np.array([1, 3, 100_000, 100_000], np.int64)}
    path = save(model(nodes, sides, {"map": ("n", 3, 100_000, 100_000)}), tmp_path / "net.onnx")
    with pytest.raises(UsageError, match="which no machine can hold"):
        _ = find_base(str(path)).layer


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TOML.replace("size = 16", "size = 32"), r"takes pictures of 16 pixels, and .*net\.toml says 32"),
        (TOML + 'layout = "nhwc"\n', r"axes are nchw, and .*net\.toml says nhwc"),
    ],
)
def test_a_config_that_contradicts_the_graph_is_refused(config: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        find_base(str(save(convnet(), tmp_path / "net.onnx", config=config)))


def test_axes_that_the_graph_does_not_show_must_be_stated(tmp_path: Path) -> None:
    unsaid = model([node("Relu", ["pixels"], ["map"])], {}, {"map": list("nchw")}, shape=list("nchw"))
    path = save(unsaid, tmp_path / "net.onnx", config=TOML)
    with pytest.raises(UsageError, match=r'add layout = "nchw", or "nhwc", to .*net\.toml'):
        find_base(str(path))
    path.with_suffix(".toml").write_text(TOML + 'layout = "nhwc"\n')
    assert find_base(str(path)).cuts(SIDE) == [("map", (SIDE, SIDE, 3))]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            "maps",
            r"unknown layer of net\.onnx 'maps' \(did you mean 'map'\?\).*`pipeline backbones .*net\.onnx`",
        ),
        ("vector:avg", "vector is a vector: there is nothing to pool"),
        ("map:cls", "map is a map and has no class token"),
    ],
)
def test_cuts_that_there_are_not(layer: str, words: str, tmp_path: Path) -> None:
    base = find_base(str(save(convnet(), tmp_path / "net.onnx")))
    with pytest.raises(UsageError, match=words):
        base.to_openvino([Cut.parse(layer)], base.weights("imagenet", SIDE), SIDE)


def test_tokens_before_the_patches_are_counted() -> None:
    for tokens, before in ((16, 0), (17, 1), (197, 1), (198, 2), (257, 1), (261, 5)):
        assert prefix_tokens(Cut("tokens", "avg"), tokens) == before
    with pytest.raises(UsageError, match="16 tokens of tokens are patches, none a class token"):
        prefix_tokens(Cut("tokens", "cls"), 16)
    with pytest.raises(UsageError, match="no square of patches"):
        prefix_tokens(Cut("tokens", "avg"), 224)


def test_a_layer_may_have_a_colon_in_its_name() -> None:
    assert Cut.parse("conv:0") == Cut("conv:0")
    assert Cut.parse("conv:0:avg") == Cut("conv:0", "avg")
    assert Cut.parse(str(Cut("conv:0"))) == Cut("conv:0")
    with pytest.raises(UsageError, match=r"unknown pooling 'mean'.*none, avg, max, cls"):
        Cut.parse("conv:mean")


def test_addresses_of_files_are_told_from_names(tmp_path: Path) -> None:
    assert [is_file_address(one) for one in ("vgg16", "net.onnx", "a/b", "NET.TFLITE", "resnet")] == [
        *(False, True, True, True, False)
    ]
    with pytest.raises(UsageError, match=r"'gone\.onnx' does not exist"):
        find_base("gone.onnx")
    with pytest.raises(UsageError, match=r"unknown backbone 'vgg61' \(did you mean 'vgg1"):
        find_base("vgg61")
    with pytest.raises(UsageError, match="cannot be used: is no file"):
        find_base(str(tmp_path))
    (tmp_path / "net.tflite").write_bytes(b"TFL3 is not at its place")
    with pytest.raises(UsageError, match="no TensorFlow Lite model"):
        find_base(str(tmp_path / "net.tflite"))


def test_what_made_features_is_known_without_its_file(tmp_path: Path) -> None:
    from pipeline.extraction.request import FeatureRequest

    path = save(convnet(), tmp_path / "net.onnx")
    request = FeatureRequest(
        backbone=str(path), resize="bicubic-antialias", precision="float32", engine="openvino"
    )
    (spec,) = request.specs(request.base.weights("imagenet", SIDE))
    path.unlink()
    base = FileBase.of_spec(spec)
    assert (base.name, base.preprocessing, base.filter) == ("net.onnx", spec.preprocessing, "bicubic")
    assert str(base.geometry(SIDE)) == spec.geometry == "shorter-edge-18"
    with pytest.raises(UsageError, match=r"file of backbone net\.onnx is not known: give it"):
        base.cuts(SIDE)


def test_a_model_of_tensorflow_lite_is_a_base(tmp_path: Path, pictures: np.ndarray) -> None:
    tf = pytest.importorskip("tensorflow")
    weight = drawn(WIDTH, 3, 3, 3, seed=0).transpose(2, 3, 1, 0)

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="pixels")])
    def forward(pixels: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(tf.nn.conv2d(pixels, weight, 4, "SAME"))

    from pipeline.runtimes.keras import native_stderr_held_back

    with native_stderr_held_back():
        made = tf.lite.TFLiteConverter.from_concrete_functions([forward.get_concrete_function()]).convert()
    path = tmp_path / "net.tflite"
    path.write_bytes(made)
    path.with_suffix(".toml").write_text(TOML)
    base = find_base(str(path))
    (found,) = computed(path, pictures, base.layer)
    wanted = forward.python_function(((pictures / 255 - MEAN) / STD).astype(np.float32)).numpy()
    assert_close([found], [wanted])
