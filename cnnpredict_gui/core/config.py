"""One convolution layer: its parameters, the rules they obey and the quantities that follow from them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cnnpredict_gui.core.errors import ConfigError

#: Element types, with their size in bytes.
DTYPE_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
DTYPES = tuple(DTYPE_BYTES)
DIRECTIONS = ("forward", "backward_data", "backward_weights")
#: ``default`` is the library's own choice; a predictor resolves it to what its target calls so.
ALGORITHMS = (
    "default",
    "any",
    "guess",
    "gemm",
    "implicit_gemm",
    "implicit_precomp_gemm",
    "fft",
    "fft_tiling",
    "winograd",
    "winograd_nonfused",
    "direct",
    "plain",
    "fused_elementwise",
)
#: Integer parameters in their canonical order, with the largest value accepted (elements).
LIMITS = {
    "batch_size": 65_536,
    "input_channels": 131_072,
    "input_height": 65_536,
    "input_width": 65_536,
    "output_channels": 131_072,
    "kernel_height": 1_024,
    "kernel_width": 1_024,
    "stride_height": 1_024,
    "stride_width": 1_024,
    "padding_height": 4_096,
    "padding_width": 4_096,
    "dilation_height": 1_024,
    "dilation_width": 1_024,
    "groups": 131_072,
}
INTEGER_FIELDS = tuple(LIMITS)
CONFIG_FIELDS = (*INTEGER_FIELDS, "dtype", "direction", "algorithm")
#: Shorthands that set a height and a width at once.
PAIR_FIELDS = {"kernel_size": "kernel", "stride": "stride", "padding": "padding", "dilation": "dilation"}
#: No tensor of a layer may have more elements than this (about 1.1e12; 4 TiB in fp32).
MAX_TENSOR_ELEMENTS = 2**40


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Padding (elements per side) that keeps the size at stride 1 for an odd kernel: ``dilation * (kernel - 1) // 2``."""
    return dilation * (kernel - 1) // 2


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Output extent in elements, as PyTorch and cuDNN count: ``floor((size + 2p - d(k-1) - 1) / s) + 1``."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


class ConvConfig(BaseModel):
    """One convolution layer. All sizes in elements; immutable and hashable.

    Besides the canonical fields, ``kernel_size``, ``stride``, ``padding`` and ``dilation`` accept one number or a
    (height, width) pair; ``padding`` also accepts ``"same"``, which is the default. Use :meth:`parse` for data from
    outside: it raises :class:`ConfigError` naming the field instead of pydantic's own error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    batch_size: int = Field(default=1, ge=1, le=LIMITS["batch_size"])
    input_channels: int = Field(ge=1, le=LIMITS["input_channels"])
    input_height: int = Field(ge=1, le=LIMITS["input_height"])
    input_width: int = Field(ge=1, le=LIMITS["input_width"])
    output_channels: int = Field(ge=1, le=LIMITS["output_channels"])
    kernel_height: int = Field(ge=1, le=LIMITS["kernel_height"])
    kernel_width: int = Field(ge=1, le=LIMITS["kernel_width"])
    stride_height: int = Field(default=1, ge=1, le=LIMITS["stride_height"])
    stride_width: int = Field(default=1, ge=1, le=LIMITS["stride_width"])
    padding_height: int = Field(ge=0, le=LIMITS["padding_height"])
    padding_width: int = Field(ge=0, le=LIMITS["padding_width"])
    dilation_height: int = Field(default=1, ge=1, le=LIMITS["dilation_height"])
    dilation_width: int = Field(default=1, ge=1, le=LIMITS["dilation_width"])
    groups: int = Field(default=1, ge=1, le=LIMITS["groups"])
    dtype: str = "fp32"
    direction: str = "forward"
    algorithm: str = "default"

    @model_validator(mode="before")
    @classmethod
    def _expand_shorthands(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = {key: _plain_integer(key, value) for key, value in data.items() if value is not None}
        padding = data.pop("padding", "same")
        for short, stem in PAIR_FIELDS.items():
            if short != "padding" and short in data:
                _set_pair(data, stem, short, data.pop(short))
        if padding != "same":
            _set_pair(data, "padding", "padding", padding)
        for axis in ("height", "width"):
            kernel, dilation = data.get(f"kernel_{axis}"), data.get(f"dilation_{axis}", 1)
            if isinstance(kernel, int) and isinstance(dilation, int):
                data.setdefault(f"padding_{axis}", same_padding(kernel, dilation))
        return data

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        for field, allowed in (("dtype", DTYPES), ("direction", DIRECTIONS), ("algorithm", ALGORITHMS)):
            if getattr(self, field) not in allowed:
                message = f"{field} {getattr(self, field)!r} is unknown"
                raise ConfigError(message, f"use one of {', '.join(allowed)}", field)
        for axis in ("height", "width"):
            reach = getattr(self, f"dilation_{axis}") * (getattr(self, f"kernel_{axis}") - 1) + 1
            padded = getattr(self, f"input_{axis}") + 2 * getattr(self, f"padding_{axis}")
            if reach > padded:
                message = f"kernel_{axis} reaches over {reach} elements, more than the padded input_{axis} of {padded}"
                raise ConfigError(message, "use a smaller kernel or more padding", f"kernel_{axis}")
        for field in ("input_channels", "output_channels"):
            if getattr(self, field) % self.groups:
                message = f"groups {self.groups} does not divide {field} {getattr(self, field)}"
                raise ConfigError(message, "groups must divide both channel counts", "groups")
        if max(self.input_elements, self.output_elements, self.weight_elements) > MAX_TENSOR_ELEMENTS:
            raise ConfigError("a tensor of this layer would have more than 2^40 elements", "use smaller sizes", "batch_size")
        return self

    @classmethod
    def parse(cls, data: dict[str, Any]) -> ConvConfig:
        """Build a config from a mapping, e.g. read from JSON.

        Raises:
            ConfigError: naming the first field that is missing, unknown, not an integer or out of its limits.
        """
        try:
            return cls(**data)
        except ConfigError:
            raise
        except ValidationError as error:
            raise _config_error(error) from None
        except TypeError:
            raise ConfigError("a configuration is a mapping of parameter names to values") from None

    @property
    def output_height(self) -> int:
        """Output height in elements."""
        return output_size(self.input_height, self.kernel_height, self.stride_height, self.padding_height, self.dilation_height)

    @property
    def output_width(self) -> int:
        """Output width in elements."""
        return output_size(self.input_width, self.kernel_width, self.stride_width, self.padding_width, self.dilation_width)

    @property
    def input_elements(self) -> int:
        """Elements of the input tensor, N * C * H * W."""
        return self.batch_size * self.input_channels * self.input_height * self.input_width

    @property
    def output_elements(self) -> int:
        """Elements of the output tensor, N * K * OH * OW."""
        return self.batch_size * self.output_channels * self.output_height * self.output_width

    @property
    def weight_elements(self) -> int:
        """Parameters of the layer without bias, K * C / groups * kh * kw."""
        return self.output_channels * (self.input_channels // self.groups) * self.kernel_height * self.kernel_width

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the direct algorithm: output elements * C / groups * kh * kw."""
        return self.output_elements * (self.input_channels // self.groups) * self.kernel_height * self.kernel_width

    @property
    def bytes_moved(self) -> int:
        """Least bytes to read and write: input, weights and output once each, at the element type's size."""
        return (self.input_elements + self.weight_elements + self.output_elements) * DTYPE_BYTES[self.dtype]

    @property
    def arithmetic_intensity(self) -> float:
        """Floating-point operations (2 per MAC) per byte moved."""
        return 2 * self.macs / self.bytes_moved

    def compact(self) -> dict[str, int | str]:
        """The fields as a user would write them: equal heights and widths joined, defaults left out, required kept."""
        values: dict[str, int | str] = {name: getattr(self, name) for name in INTEGER_FIELDS[:5]}
        for short, stem in PAIR_FIELDS.items():
            height, width = getattr(self, f"{stem}_height"), getattr(self, f"{stem}_width")
            if height == width:
                values[short] = height
            else:
                values |= {f"{stem}_height": height, f"{stem}_width": width}
        values |= {"groups": self.groups, "dtype": self.dtype, "direction": self.direction, "algorithm": self.algorithm}
        if (self.padding_height, self.padding_width) == (
            same_padding(self.kernel_height, self.dilation_height),
            same_padding(self.kernel_width, self.dilation_width),
        ):
            for name in ("padding", "padding_height", "padding_width"):
                values.pop(name, None)
        defaults = {"dilation": 1, "groups": 1, "dtype": "fp32", "direction": "forward", "algorithm": "default"}
        return {name: value for name, value in values.items() if defaults.get(name) != value}

    def label(self) -> str:
        """Short text for charts and lists, e.g. ``1×64×56×56 → 128, 3×3 /2``."""
        text = f"{self.batch_size}×{self.input_channels}×{self.input_height}×{self.input_width} → {self.output_channels}"
        text += f", {self.kernel_height}×{self.kernel_width}"
        if (self.stride_height, self.stride_width) != (1, 1):
            same = self.stride_height == self.stride_width
            text += f" /{self.stride_height}" if same else f" /{self.stride_height}×{self.stride_width}"
        return text + (f" g{self.groups}" if self.groups > 1 else "")


def _plain_integer(field: str, value: Any) -> Any:
    """Whole floats and digit strings become ints; booleans, fractions and non-numbers are refused by name."""
    if field in PAIR_FIELDS and isinstance(value, list | tuple):
        return tuple(_plain_integer(field, item) for item in value)
    if field not in INTEGER_FIELDS and field not in PAIR_FIELDS:
        return value
    if isinstance(value, str):
        if field == "padding" and value.strip().lower() == "same":
            return "same"
        try:
            value = float(value)
        except ValueError:
            raise ConfigError(f"{field} is {value!r}, not a number", "give a whole number", field) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{field} is {value!r}, not a number", "give a whole number", field)
    if value != value or value in (float("inf"), float("-inf")) or value != int(value):
        raise ConfigError(f"{field} is {value}, not a whole number", "give a whole number", field)
    return int(value)


def _set_pair(data: dict[str, Any], stem: str, short: str, value: Any) -> None:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise ConfigError(f"{short} has {len(pair)} values", "give one number or a (height, width) pair", short)
    for axis, item in zip(("height", "width"), pair, strict=True):
        name = f"{stem}_{axis}"
        if data.get(name, item) != item:
            raise ConfigError(f"{short} and {name} contradict each other", "give only one of them", name)
        data[name] = item


def _config_error(error: ValidationError) -> ConfigError:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # a misspelt name is also missing
    field = str(first["loc"][0]) if first["loc"] else ""
    kind, value = first["type"], first.get("input")
    if kind == "missing":
        name = f"{field.removesuffix('_height')}_size" if field == "kernel_height" else field
        return ConfigError(f"{name} is missing", f"give {name}", field)
    if kind == "extra_forbidden":
        return ConfigError(f"{field!r} is not a parameter of a convolution", _nearest_hint(field), field)
    if kind in ("greater_than_equal", "less_than_equal"):
        low = 0 if field.startswith("padding") else 1
        return ConfigError(f"{field} is {value}, outside {low} to {LIMITS[field]:,}", "give a value within the limits", field)
    return ConfigError(f"{field}: {first['msg']} (got {value!r})", "see the list of parameters", field)


def _nearest_hint(name: str) -> str:
    from difflib import get_close_matches

    match = get_close_matches(name, [*CONFIG_FIELDS, *PAIR_FIELDS], n=1)
    return f"did you mean {match[0]}?" if match else f"parameters are {', '.join(CONFIG_FIELDS)}"
