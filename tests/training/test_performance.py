"""Tests of memory allocation, compilation and profiling."""

import logging
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from vae_lightning.training import performance


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is a function of glibc")
def test_tune_malloc_logs_its_result(caplog):
    with caplog.at_level(logging.DEBUG, logger=performance.__name__):
        is_tuned = performance.tune_malloc()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert is_tuned == ("keeps freed memory" in record.message)


def test_tune_malloc_does_nothing_without_mallopt(monkeypatch):
    monkeypatch.setattr(performance.ctypes, "CDLL", lambda _: object())
    assert performance.tune_malloc() is False


@pytest.mark.parametrize("retains_graph", [False, True])
def test_compile_networks_keeps_parameter_names(retains_graph):
    model = nn.Module()
    model.retains_graph = retains_graph
    model.encoder, model.posterior, model.decoder = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 3)
    names = list(model.state_dict())
    with torch._functorch.config.patch(donated_buffer=True):
        performance.compile_networks(model, "default")
        assert torch._functorch.config.donated_buffer is not retains_graph
    assert list(model.state_dict()) == names
    assert all(module._compiled_call_impl is not None for module in model.children())


def test_networks_run_compiled_only_if_gradients_are_needed(monkeypatch):
    model = nn.Module()
    model.retains_graph = False
    model.encoder, model.posterior, model.decoder = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 3)
    compiled, compile_function = [], torch.compile

    def backend(graph, _):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda function, mode: compile_function(function, backend=backend))
    performance.compile_networks(model, "default")
    with torch.no_grad():
        expected = model.decoder(torch.ones(1, 2))
    assert compiled == []
    assert torch.equal(model.decoder(torch.ones(1, 2)), expected)
    assert len(compiled) == 1
    copy = deepcopy(model.decoder)  # as for averaged weights
    nn.init.zeros_(copy.weight)
    assert torch.equal(copy(torch.ones(1, 2)), model.decoder.bias[None])


def test_null_profiler_propagates_exceptions():
    with pytest.raises(ZeroDivisionError), performance.NullProfiler().profile("anything"):
        torch.tensor(1 // 0)
