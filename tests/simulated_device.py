"""A simulated accelerator: tensors of the device `meta` that have values, computed by the CPU.

As on a GPU, operations on tensors of both devices raise an error, and so do generators of the CPU. Memory is shared
with the CPU, so this finds no error of timing or rounding.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
DEVICE = torch.device("meta")
COPIES = (aten.copy_.default, aten._to_copy.default)
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)


class DeviceTensor(Tensor):
    """A tensor of the simulated device, whose values are those of a tensor of the CPU."""

    on_cpu: Tensor

    @staticmethod
    def __new__(cls, on_cpu: Tensor) -> "DeviceTensor":
        tensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            on_cpu.size(),
            strides=on_cpu.stride(),
            storage_offset=on_cpu.storage_offset(),
            dtype=on_cpu.dtype,
            device=DEVICE,
        )
        tensor.on_cpu = on_cpu
        return tensor

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{function}: outside of `simulated_device()`")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Save it like a tensor of the CPU."""
        return self.on_cpu.__reduce_ex__(protocol)


class Operations(TorchDispatchMode):
    """Computes on the CPU, and moves the result to the device of the arguments."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
        target = torch.device(kwargs.get("device") or (DEVICE if here else "cpu"))
        if here and function not in COPIES:
            if function in INDEXING and isinstance(args[0], DeviceTensor):
                tensors = [args[0], *args[2:3]]  # indices may be on the CPU
            elsewhere = [tensor for tensor in tensors if tensor.dim() and not isinstance(tensor, DeviceTensor)]
            assert not elsewhere, f"{function}: {elsewhere} on the CPU"
        assert target != DEVICE or kwargs.get("generator") is None, f"{function}: a generator of the CPU"
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map_only(DeviceTensor, lambda tensor: tensor.on_cpu, (args, kwargs))
        result = function(*args, **kwargs)
        if target != DEVICE:
            return result
        arguments = {id(tensor.on_cpu): tensor for tensor in here}  # operations in place return them
        return tree_map_only(Tensor, lambda x: arguments[id(x)] if id(x) in arguments else DeviceTensor(x), result)


class Conversions(TorchFunctionMode):
    """Replaces conversions between tensors and Python that `meta` or subclasses do not support."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor):
            device = kwargs.pop("device", None)
            return function(*args, **kwargs).to(device)
        if args and isinstance(args[0], DeviceTensor):
            if function is Tensor.new_tensor:
                return torch.tensor(args[1], **{"dtype": args[0].dtype, **kwargs}).to(DEVICE)
            if function in (Tensor.tolist, Tensor.__format__):
                return function(args[0].cpu(), *args[1:])
        return function(*args, **kwargs)


class SimulatedStrategy(SingleDeviceStrategy):
    """Trains on the simulated device."""

    def __init__(self) -> None:
        super().__init__(device=DEVICE)

    def setup_environment(self) -> None:
        """Leave out what the accelerator, which is that of the CPU, would check."""


# The strategy; a fused optimizer and inference mode do not support `meta`.
ON_DEVICE = ["+trainer.strategy._target_=simulated_device.SimulatedStrategy", "model.optimizer.fused=false"]
ON_DEVICE += ["+trainer.inference_mode=false"]


@contextmanager
def simulated_device() -> Iterator[None]:
    """Simulate the device. `torch.autocast`, which does not support it, does nothing."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), Conversions(), Operations():
        patch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
        warnings.filterwarnings("ignore", ".*copying from a non-meta parameter")  # which works here
        yield
