"""Builds ONNX graphs step by step: scalers, polynomials, layers, trees; in float64 inside, float32 at both ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnnpredict_gui.core.errors import ModelFileError
from cnnpredict_gui.importing.mapping import LOG_OUTPUTS
from cnnpredict_gui.importing.trees import Trees

OPSET, ML_OPSET, IR_VERSION = 18, 5, 9
#: Names of activations in mappings and libraries to the ONNX operator.
ACTIVATIONS = {
    "identity": "Identity",
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "logistic": "Sigmoid",
    "softplus": "Softplus",
    "elu": "Elu",
    "leaky_relu": "LeakyRelu",
    "silu": "silu",
    "gelu": "gelu",
}
#: Names of numpy's functions to how they are written: operators, with a factor or a shift where there is no such operator.
_FUNCTIONS: dict[str, tuple[tuple[str, float | None], ...]] = {
    "log": (("Log", None),),
    "log2": (("Log", None), ("Mul", 1 / math.log(2))),
    "log10": (("Log", None), ("Mul", 1 / math.log(10))),
    "log1p": (("Add", 1.0), ("Log", None)),
    "exp": (("Exp", None),),
    "exp2": (("Mul", math.log(2)), ("Exp", None)),
    "expm1": (("Exp", None), ("Sub", 1.0)),
    "sqrt": (("Sqrt", None),),
    "square": (("Pow", 2.0),),
    "absolute": (("Abs", None),),
}


class GraphBuilder:
    """Collects nodes; values go by name. ``start`` is the matrix of features, float64."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.start = self.node("Cast", "features", to=TensorProto.DOUBLE)

    def constant(self, values: Any, kind: Any = np.float64) -> str:
        """A constant array; returns its name."""
        name = f"c{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One operator; returns the name of its output."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def scaled(self, value: str, factor: Any) -> str:
        """``value * factor``, for a number or one per column."""
        return self.node("Mul", value, self.constant(factor))

    def shifted(self, value: str, shift: Any) -> str:
        """``value + shift``."""
        return self.node("Add", value, self.constant(shift))

    def linear(self, value: str, weights: Any, bias: Any) -> str:
        """``value W + b`` with weights of shape (inputs, outputs)."""
        return self.shifted(self.node("MatMul", value, self.constant(weights)), bias)

    def activation(self, value: str, name: str) -> str:
        """An activation by its name in :data:`ACTIVATIONS`; in float32, where ONNX Runtime has all of them."""
        operator = ACTIVATIONS[name]
        if operator == "Identity":
            return value
        single = self.node("Cast", value, to=TensorProto.FLOAT)
        if operator == "silu":
            made = self.node("Mul", single, self.node("Sigmoid", single))
        elif operator == "gelu":
            half = self.node("Erf", self.node("Mul", single, self.constant(math.sqrt(0.5), np.float32)))
            gate = self.node("Mul", self.node("Add", half, self.constant(1, np.float32)), self.constant(0.5, np.float32))
            made = self.node("Mul", single, gate)
        else:
            made = self.node(operator, single)
        return self.node("Cast", made, to=TensorProto.DOUBLE)

    def function(self, value: str, name: str) -> str:
        """A function of numpy, by its name.

        Raises:
            ModelFileError: it has no conversion.
        """
        if name not in _FUNCTIONS:
            raise ModelFileError(f"the function {name} has no conversion to ONNX", "train without it, or export ONNX yourself")
        for operator, number in _FUNCTIONS[name]:
            value = self.node(operator, value, *([] if number is None else [self.constant(number)]))
        return value

    def products(self, value: str, powers: Any) -> str:
        """Products of columns: ``powers`` of shape (terms, columns) as scikit-learn's ``PolynomialFeatures.powers_``."""
        columns = powers.shape[1]
        nought = self.scaled(self.node("Slice", value, *self._first_column()), 0)
        one = self.shifted(nought, 1)
        extended = self.node("Concat", value, one, axis=1)
        factors = [np.repeat(np.arange(columns), row) for row in powers]
        degree = max(1, *(len(row) for row in factors))
        places = np.array([[*row, *[columns] * (degree - len(row))] for row in factors], dtype=np.int64)
        product = self.node("Gather", extended, self.constant(places[:, 0], np.int64), axis=1)
        for place in range(1, degree):
            product = self.node(
                "Mul", product, self.node("Gather", extended, self.constant(places[:, place], np.int64), axis=1)
            )
        return product

    def _first_column(self) -> list[str]:
        return [self.constant([place], np.int64) for place in (0, 1, 1)]

    def trees(self, value: str, trees: Trees) -> str:
        """Sum of the leaves that a row reaches, shape (n, 1); trees look at float32."""
        single = self.node("Cast", value, to=TensorProto.FLOAT)
        answer = self.node("TreeEnsemble", single, domain="ai.onnx.ml")
        for name, values in trees.attributes().items():  # one list at a time: a list of Python numbers is large
            plain = values.tolist() if isinstance(values, np.ndarray) else values
            self.nodes[-1].attribute.append(helper.make_attribute(name, plain))
        return self.node("Cast", answer, to=TensorProto.DOUBLE)

    def model(self, answer: str, output: str) -> onnx.ModelProto:
        """The finished graph: ``features`` float32 (n, f) to ``time`` float32 (n, 1).

        Args:
            answer: What the model itself says, float64 (n, 1).
            output: What that is, one of :data:`cnnpredict_gui.importing.mapping.OUTPUTS`.
        """
        time = self.in_served_unit(answer, output)
        self.nodes.append(helper.make_node("Cast", [time], ["time"], to=TensorProto.FLOAT))
        inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", self.features])]
        outputs = [helper.make_tensor_value_info("time", TensorProto.FLOAT, ["n", 1])]
        graph = helper.make_graph(self.nodes, "imported", inputs, outputs, self.initialisers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="cnnpredict")
        onnx.checker.check_model(model)
        return model

    def in_served_unit(self, answer: str, output: str) -> str:
        """The answer as ms or as the natural log of ms."""
        if output in LOG_OUTPUTS:
            factor, shift = LOG_OUTPUTS[output]
            return self.shifted(self.scaled(answer, factor), shift)
        if output == "log1p_ms":
            return self.function(answer, "expm1")
        return self.scaled(answer, {"s": 1e3, "ms": 1.0, "us": 1e-3}[output])
