"""ONNX files from strangers: what is no plain data is refused by its declarations, and nothing loaded."""

from __future__ import annotations

import resource
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_files import SIDE, convnet, model, save, transformer

from pipeline.guards.onnx import MOST_BYTES, read_declarations
from pipeline.guards.protobuf import Reader, Span

node = helper.make_node
IMAGES = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("n", 3, SIDE, SIDE))


def branching() -> onnx.ModelProto:
    branch = helper.make_graph(
        [node("Identity", ["pixels"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    condition = {"condition": np.array(True)}
    both = {"then_branch": branch, "else_branch": branch}
    return model([node("If", ["condition"], ["map"], **both)], condition, {"map": ("n", 3, SIDE, SIDE)})


def with_domain() -> onnx.ModelProto:
    nodes = [node("FusedConv", ["pixels"], ["map"], domain="com.microsoft")]
    return model(nodes, {}, {"map": ("n", 3, SIDE, SIDE)}, domains=["com.microsoft"])


def with_function() -> onnx.ModelProto:
    made = convnet()
    made.functions.append(
        helper.make_function(
            "own", "Twice", ["x"], ["y"], [node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 17)]
        )
    )
    return made


def with_sparse() -> onnx.ModelProto:
    made = convnet()
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [10**9]))
    return made


def promising(extent: int) -> onnx.ModelProto:
    made = convnet()
    made.graph.initializer[0].dims[0] = extent
    return made


def outside(place: str) -> onnx.ModelProto:
    made = convnet()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": place, "offset": "0", "length": str(8 * 27 * 4)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (branching, r"branches or loops \(If"),
        (with_domain, "'FusedConv' of 'com.microsoft', which is no standard one: export it again"),
        (with_function, "functions of its own: export it"),
        (with_sparse, "sparse tensors"),
        (lambda: promising(10**12), "promises 108,000,000,000,000 bytes, of which 864 are there"),
        (lambda: promising(-1), "negative extent"),
        (lambda: outside("../secret.bin"), r"outside of its folder, at '\.\./secret\.bin'"),
        (lambda: outside("/etc/passwd"), "outside of its folder, at '/etc/passwd'"),
        (lambda: outside("gone.bin"), "'gone.bin' are not beside it"),
        (lambda: outside("link.bin"), "outside of its folder"),
        (lambda: outside("short.bin"), "'short.bin' is cut off"),
        (lambda: helper.make_model(helper.make_graph([], "empty", [IMAGES], [])), "no operation"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_plain_network_is_refused(
    make: Callable[[], onnx.ModelProto], words: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "short.bin").write_bytes(bytes(100))
    with pytest.raises(ValueError, match=words) as refused:
        read_declarations(save(make(), folder / "net.onnx"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n", "cut off"),
        (b"GIF89a and more", "damaged|no ONNX|cut off"),
        (b"\x0a\xff\xff\xff\xff\x0f", "4,294,967,295 bytes are promised where 0 are left"),
        (b"\x08" + b"\xff" * 20, "a number has no end"),
        (b"\x3b", "no field is of kind 3"),
        (struct.pack("<B", 0), "there is no field 0"),
        (b"\x38\x01", "a number stands where a message belongs"),
    ],
)
def test_other_files_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_declarations(path)


def test_a_file_cut_off_anywhere_is_refused_or_another_network(tmp_path: Path) -> None:
    path = save(convnet(), tmp_path / "net.onnx")
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"it |tensor |a "):
            read_declarations(path)


def test_a_huge_file_with_little_in_it_takes_no_memory(tmp_path: Path) -> None:
    path = save(convnet(), tmp_path / "net.onnx")
    for size, words in ((2**31 - 1, "no field 0"), (MOST_BYTES, "more than an ONNX file can have")):
        with open(path, "r+b") as file:
            file.truncate(size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ValueError, match=words):
            read_declarations(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    found = read_declarations(save(convnet(side="any"), tmp_path / "net.onnx"))
    assert found.inputs == {"pixels": (None, 3, None, None)}
    assert (found.outputs, found.opset, found.external) == (["map", "vector"], 17, set())
    assert read_declarations(save(transformer(), tmp_path / "vit.onnx")).outputs == ["tokens"]


def test_external_data_are_known(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(convnet(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    assert read_declarations(path).external == {"net.data"}


def test_filters_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    """As files of before 2019 have it."""
    made = convnet()
    filters = helper.make_tensor_value_info("stem.weight", TensorProto.FLOAT, (8, 3, 3, 3))
    made.graph.input.append(filters)
    assert list(read_declarations(save(made, tmp_path / "net.onnx")).inputs) == ["pixels"]


def test_a_reader_counts_what_it_reads() -> None:
    reader = Reader(b"\x08\x01" * 10, most_fields=5)
    with pytest.raises(ValueError, match="more parts than any network"):
        list(reader.fields(reader.whole))
    assert list(Reader(b"\x0d\0\0\0\0\x09" + bytes(8), most_fields=5).fields(Span(0, 14))) == [
        (1, Span(1, 5)),
        (1, Span(6, 14)),
    ]
