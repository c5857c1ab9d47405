"""Networks from hubs: small random models of each library, saved in its own format, come to the same here.

The libraries are large, so that the tests do not ask for them; where one is missing, its tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx_files import TOML, convnet, save
from PIL import Image
from reference_pictures import reference_picture

from pipeline import registry
from pipeline.backbones import hubs, shelf
from pipeline.backbones.file_base import FileBase
from pipeline.backbones.finding import find_base
from pipeline.backbones.table import Cut
from pipeline.errors import UsageError
from pipeline.images.decode import decode
from pipeline.images.resizing import find_resize, resizes

PICTURE = reference_picture(60, 80)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the shelf is."""
    monkeypatch.setenv(shelf.PLACE, str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def features_here(name: str, cut: str) -> np.ndarray:
    """Computes the features of the picture as stage one does, with Pillow's resize."""
    import openvino

    base = find_base(name)
    size = base.own_size
    resize = find_resize(resizes(base.filter)[1], str(base.geometry(size)))
    pixels = decode(PICTURE, size, None, resize)
    network = base.to_openvino([Cut.parse(cut)], base.weights("imagenet", size), size)
    compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(pixels[None])[0][0]


def test_a_model_of_timm(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch = pytest.importorskip("torch")
    sides = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 3}
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0, **sides).eval()
    folder = tmp_path / "tiny-vit"
    model.pretrained_cfg["input_size"] = (3, 32, 32)
    timm.models.save_for_hf(model, folder, model_args=sides)
    one = hubs.get(f"timm:local-dir:{folder}", name="tiny")
    assert one.origin == f"timm:local-dir:{folder}"
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    with torch.no_grad():
        tokens = model.forward_features(transform(Image.fromarray(PICTURE))[None])[0].numpy()
    base = find_base("tiny")
    assert isinstance(base, FileBase)
    assert (base.layer, base.own_size) == ("features", 32)
    for cut, wanted in (
        ("features", tokens),
        ("features:cls", tokens[0]),
        ("features:avg", tokens[1:].mean(0)),
    ):
        np.testing.assert_allclose(features_here("tiny", cut), wanted, atol=1e-4 * np.abs(tokens).max())


@pytest.mark.parametrize("kind", ["Dinov2", "Siglip"])
def test_a_model_of_transformers(kind: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    sides = {"image_size": 32, "patch_size": 8, "hidden_size": 24, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 3, "intermediate_size": 32}
    if kind == "Dinov2":
        whole = transformers.Dinov2Model(transformers.Dinov2Config(**sides, num_attention_heads=3)).eval()
        seeing, processor = whole, transformers.BitImageProcessor
        said = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "resample": 3}
    else:
        text = {"hidden_size": 24, "num_hidden_layers": 1, "vocab_size": 10, **heads}
        config = transformers.SiglipConfig(vision_config=sides | heads, text_config=text)
        whole = transformers.SiglipModel(config).eval()
        seeing, processor = whole.vision_model, transformers.SiglipImageProcessor
        said = {"size": {"height": 32, "width": 32}, "resample": 3}
    folder = tmp_path / f"Tiny-{kind}"
    whole.save_pretrained(folder)
    processor(**said).save_pretrained(folder)
    assert hubs.get(f"hf:{folder}").name == f"tiny-{kind.lower()}"
    by_pillow = getattr(transformers, f"{processor.__name__}Pil", processor)(**said)
    shown = by_pillow(Image.fromarray(PICTURE), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        tokens = seeing(pixel_values=shown).last_hidden_state[0].numpy()
    assert find_base(f"tiny-{kind.lower()}").layer == "last_hidden_state"
    found = features_here(f"tiny-{kind.lower()}", "last_hidden_state")
    np.testing.assert_allclose(found, tokens, atol=1e-4 * np.abs(tokens).max())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_a_model_of_keras_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    converter = keras_hub.layers.ResNetImageConverter(
        image_size=(32, 32), scale=1 / 255, offset=[-0.5, -0.4, -0.3], antialias=True
    )
    folder = tmp_path / "tiny_resnet"
    backbone.save_to_preset(folder)
    converter.save_to_preset(folder)
    hubs.get(f"keras-hub:{folder}")
    pixels = decode(PICTURE, 32, None, find_resize("bilinear-antialias", "shorter-edge-32"))
    wanted = np.asarray(backbone((pixels / 255 - [0.5, 0.4, 0.3])[None].astype(np.float32)))[0]
    base = find_base("tiny_resnet")
    np.testing.assert_allclose(
        features_here("tiny_resnet", base.layer), wanted, atol=1e-4 * np.abs(wanted).max()
    )
    assert "not antialiased" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("dinov2", "names no network of a hub: give hf:NAME, keras-hub:NAME, timm:NAME"),
        ("hf:", "names no network of a hub"),
        ("torch:resnet", r"unknown hub 'torch'.*choose from hf, keras-hub, timm"),
    ],
)
def test_addresses_that_there_are_not(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        hubs.get(address)


def test_without_its_packages_a_hub_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = registry.load(hubs, "hub", "hf")
    monkeypatch.setattr(module, "PACKAGES", ("no_such_package",))
    with pytest.raises(UsageError, match=r"needs no_such_package: pip install 'two-stage-pipeline\[hf\]'"):
        hubs.get("hf:facebook/dinov2-small")


def test_what_a_hub_gives_is_added(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = registry.load(hubs, "hub", "timm")
    monkeypatch.setattr(module, "PACKAGES", ())
    monkeypatch.setattr(
        module, "fetch", lambda name, folder: save(convnet(), folder / "model.onnx", config=TOML)
    )
    one = hubs.get("timm:Owner/My Net")
    assert (one.name, one.origin) == ("my_net", "timm:Owner/My Net")
    assert find_base("my_net").layer == "map"
    record = json.loads((place / "my_net" / "base.json").read_text())
    assert set(record["files"]) == {"model.onnx", "model.toml"}

    def fail(name: str, folder: Path) -> Path:
        raise RuntimeError("404 Client Error\nand more")

    monkeypatch.setattr(module, "fetch", fail)
    with pytest.raises(UsageError, match=r"timm:gone cannot be had \(404 Client Error\): look its name up"):
        hubs.get("timm:gone")
    with pytest.raises(UsageError, match="cannot be the name of a base"):
        hubs.get("timm:gone", name="vgg16")
