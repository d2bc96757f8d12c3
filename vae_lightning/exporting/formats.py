"""File formats of graphs: how to write one, and how to run what was written."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.exporting.graphs import Graph

Run = Callable[..., Sequence[Tensor]]
TRACED_ROWS = 3  # rows of the example that a graph is traced with, which the result does not depend on


@contextmanager
def no_warnings() -> Iterator[None]:
    """Silence what exporters report about their own workings, such as the deprecation of TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Format(NamedTuple):
    """A file format.

    Attributes:
        suffix: of the files.
        serialize: a graph -> the content of its file.
        load: the content, and the names of the inputs -> a function that runs it.
    """

    suffix: str
    serialize: Callable[[Graph], bytes]
    load: Callable[[bytes, list[str]], Run]


@no_warnings()
def torch_export(graph: Graph) -> torch.export.ExportedProgram:
    """Trace a graph for any number of rows."""
    example = graph.example(TRACED_ROWS)
    rows = torch.export.Dim("batch")
    return torch.export.export(graph, example, dynamic_shapes=tuple({0: rows} for _ in example))


@no_warnings()
def serialize_pt2(graph: Graph) -> bytes:
    """Serialize a graph by `torch.export.save`."""
    buffer = io.BytesIO()
    torch.export.save(torch_export(graph), buffer)
    return buffer.getvalue()


@no_warnings()
def load_pt2(content: bytes, _: list[str]) -> Run:
    """Load what `serialize_pt2` returned."""
    return torch.export.load(io.BytesIO(content)).module()


@no_warnings()
def serialize_onnx(graph: Graph) -> bytes:
    """Serialize a graph as ONNX with the weights in the file."""
    try:
        program = torch.onnx.export(
            torch_export(graph),
            dynamo=True,
            verbose=False,
            input_names=graph.input_names,
            output_names=graph.output_names,
        )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:  # the last one names the operator, the first one tells how to debug PyTorch
            cause = cause.__cause__
        raise cause from None
    assert program is not None
    program.model.metadata_props.update(graph.metadata)
    content: bytes = program.model_proto.SerializeToString()
    return content


def load_onnx(content: bytes, input_names: list[str]) -> Run:
    """Load what `serialize_onnx` returned in ONNX Runtime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = {name: value.numpy() for name, value in zip(input_names, inputs, strict=True)}
        return [torch.from_numpy(array) for array in session.run(None, arrays)]

    return run


@no_warnings()
def serialize_torchscript(graph: Graph) -> bytes:
    """Serialize a graph as TorchScript, with the weights as constants.

    A function is traced instead of the module, since TorchScript would compile all attributes of a LightningModule.
    """
    buffer = io.BytesIO()
    traced = torch.jit.trace(lambda *inputs: graph(*inputs), graph.example(TRACED_ROWS), check_trace=False)
    torch.jit.save(traced, buffer)
    return buffer.getvalue()


@no_warnings()
def load_torchscript(content: bytes, _: list[str]) -> Run:
    """Load what `serialize_torchscript` returned."""
    return torch.jit.load(io.BytesIO(content))


FORMATS = {
    "onnx": Format(".onnx", serialize_onnx, load_onnx),
    "torchscript": Format(".pt", serialize_torchscript, load_torchscript),
    "pt2": Format(".pt2", serialize_pt2, load_pt2),
}


def check_installed(name: str) -> None:
    """Check that the packages of a format are installed.

    Raises:
        UserError: if they are not.
    """
    if name == "onnx":
        try:
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise UserError(
                f"--format=onnx: the package {error.name} is missing. Run pip install 'vae-lightning[onnx]'."
            ) from error
