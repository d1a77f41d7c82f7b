"""Networks in eight bits: the same graph, whose products with weights are made of whole numbers. Imported only to prepare.

An activation has one scale for a whole text, so a few large columns would leave the others few steps. Columns are therefore
multiplied by powers of two first, and the rows of the weights divided by them, which changes no fp32 number by a bit; the powers
are fitted once (`training/fit_int8.py`) and ship as data, so that the graph is the same on every machine. See docs/adr/0019 and
docs/adr/0030.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from grader.networks import save_graph

Exponents = Mapping[str, npt.NDArray[np.int64]]
"""For each activation that is multiplied with weights, the power of two that each of its columns is multiplied by."""


def export_int8(source: Path, target: Path, *, exponents: Path) -> None:
    """Write an exported network once more, its weight matrices in eight bits with a scale for each column.

    The attention's own products, of two activations each, stay in fp32, and so do word vectors, norms and biases.

    Args:
        source: The graph in fp32.
        target: Where the one in eight bits goes.
        exponents: The file for this network that `training/fit_int8.py` wrote.
    """
    model = onnx.load(str(source))
    shipped = json.loads(exponents.read_text(encoding="utf-8"))
    even_out(model, {name: np.array(powers) for name, powers in shipped["exponents"].items()})
    with tempfile.TemporaryDirectory() as folder:
        evened, quantised = Path(folder) / "evened.onnx", Path(folder) / "quantised.onnx"
        onnx.save(model, str(evened))
        # It advises a step that is for other models.
        logging.disable(logging.WARNING)
        try:
            quantize_dynamic(
                evened,
                quantised,
                op_types_to_quantize=["MatMul"],
                nodes_to_quantize=[node.name for node in weight_products(model.graph)],
                per_channel=True,
                # Seven bits of weight: two products of eight by eight bits overflow the sixteen that processors without special
                # instructions for it add them in, so that vectors would differ from one kind of processor to the other.
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        save_graph(onnx.load(str(quantised)), target)


def weight_products(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the products of an activation with a weight matrix."""
    weights = {initializer.name for initializer in graph.initializer}
    return [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]


def even_out(model: onnx.ModelProto, exponents: Exponents) -> None:
    """Multiply the columns of activations by powers of two, and divide the rows of the weights that they meet by them.

    Raises:
        KeyError: If an activation has no exponents.
    """
    graph = model.graph
    weights = {initializer.name: initializer for initializer in graph.initializer}
    products = {node.name for node in weight_products(graph)}
    added: dict[str, onnx.NodeProto] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in products:
            name = node.input[0]
            factors = np.exp2(exponents[name]).astype(np.float32)
            if name not in added:
                graph.initializer.append(numpy_helper.from_array(factors, f"{name}_factors"))
                added[name] = helper.make_node("Mul", [name, f"{name}_factors"], [f"{name}_evened"], name=f"{name}_even_out")
                nodes.append(added[name])
            matrix = numpy_helper.to_array(weights[node.input[1]])
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(matrix / factors[:, None], node.input[1]))
            node.input[0] = f"{name}_evened"
        nodes.append(node)
    graph.ClearField("node")
    graph.node.extend(nodes)


def fitting_exponents(model: onnx.ModelProto, largest: Mapping[str, npt.NDArray[np.float32]], *, share: float) -> Exponents:
    """Return the exponents that even out activations of given size.

    Args:
        model: The exported network.
        largest: For each activation, the largest absolute value of each of its columns over some texts.
        share: How much of the unevenness goes over to the weights, in [0, 1].
    """
    weights = {initializer.name: initializer for initializer in model.graph.initializer}
    products = weight_products(model.graph)
    found: dict[str, npt.NDArray[np.int64]] = {}
    for name, activation in largest.items():
        rows = np.max([_row_sizes(weights[node.input[1]]) for node in products if node.input[0] == name], axis=0)
        logs = (1 - share) * np.log2(rows) - share * np.log2(activation)
        found[name] = np.rint(logs - logs.mean()).astype(np.int64)
    return found


def activations(model: onnx.ModelProto) -> list[str]:
    """Return the names of the activations that are multiplied with weights, in their order."""
    return list(dict.fromkeys(node.input[0] for node in weight_products(model.graph)))


def _row_sizes(weight: onnx.TensorProto) -> npt.NDArray[np.float32]:
    sizes: npt.NDArray[np.float32] = np.abs(numpy_helper.to_array(weight)).max(axis=1)
    return sizes
