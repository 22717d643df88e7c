"""The model card: JSON beside every artefact that says what the model is, what it saw and how well it does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cnnpredict_gui.core.names import Family, Target

CARD_FORMAT = 1


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Device(_Strict):
    """Datasheet figures of a device, from which physical features are made.

    ``fp32_tflops`` and ``fp16_tflops`` are peak rates, ``memory_bandwidth_gbs`` is in 1e9 bytes/s, ``l2_mb`` the last-level
    cache in MB, ``host_copy_gbs`` the bandwidth between host and device in 1e9 bytes/s. Of a processor, ``vector_lanes`` is
    the number of fp32 elements in a vector register (0 for a GPU) and ``core_cache_mb`` a core's own (level 2) cache in MB.
    """

    name: str
    vendor: str = ""
    architecture: str = ""
    compute_units: int = Field(gt=0)
    boost_clock_mhz: float = Field(gt=0)
    fp32_tflops: float = Field(gt=0)
    fp16_tflops: float = Field(gt=0)
    memory_bandwidth_gbs: float = Field(gt=0)
    l2_mb: float = Field(gt=0)
    host_copy_gbs: float = Field(default=16.0, gt=0)
    vector_lanes: int = Field(default=0, ge=0)
    core_cache_mb: float = Field(default=1.0, gt=0)


class Metrics(_Strict):
    """Accuracy under one protocol; errors and shares in percent, RMSE in ms, R² of the natural log of the time."""

    n: int
    mape: float
    median_ape: float
    within_10: float
    within_20: float
    rmse: float
    r2_log: float
    coverage_90: float | None = None
    interval_width: float | None = None


class Range(_Strict):
    """Smallest and largest value of one parameter in the training data (elements)."""

    low: float
    high: float


class Interval(_Strict):
    """Split-conformal 90 % interval of the log error, adaptive to group and size.

    For a row of group ``g`` (its algorithm and dtype, or ``*``) with predicted log time ``t``, the interval of the true
    log time is ``[t + low(t), t + high(t)]``; ``low`` and ``high`` are interpolated linearly between the knots.
    """

    group_by: tuple[Literal["algorithm", "dtype"], ...] = ()
    knots: dict[str, list[float]]
    low: dict[str, list[float]]
    high: dict[str, list[float]]


class Provenance(_Strict):
    """Where the training data came from."""

    source: str
    licence: str
    rows: int
    shapes: int
    data_sha256: str = ""
    note: str = ""


class ModelCard(_Strict):
    """Everything about one predictor that is not in its weights. Stored as ``<stem>.card.json`` beside the files."""

    format: int = CARD_FORMAT
    name: str
    family: Family
    version: str = "1.0.0"
    target: Target
    device: Device
    features: tuple[str, ...] = ()
    #: What the model puts out: natural log of ms, or ms.
    output: Literal["log_ms", "ms"] = "log_ms"
    #: Feature added to the output (the model then learns the log ratio to it), or none.
    offset_feature: str | None = None
    #: Consensus only: family to weight; weights sum to one.
    weights: dict[str, float] = Field(default_factory=dict)
    default_algorithm: str = "any"
    algorithms: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("fp32",)
    directions: tuple[str, ...] = ("forward",)
    #: Training ranges of the integer parameters and of derived quantities such as ``macs``.
    ranges: dict[str, Range] = Field(default_factory=dict)
    #: Values seen, for parameters with few of them (kernel sizes, strides, groups).
    values_seen: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    #: Algorithm to the values seen with it, for parameters where it was measured with fewer than the target as a whole.
    seen_with_algorithm: dict[str, dict[str, tuple[int, ...]]] = Field(default_factory=dict)
    interval: Interval | None = None
    #: Protocol to metrics: ``random_5_fold``, ``grouped_by_shape``, and ``leave_one_network_out`` or ``unseen_combinations``;
    #: of calibrated models ``separate_layers`` too.
    metrics: dict[str, Metrics] = Field(default_factory=dict)
    #: ``grouped_by_shape`` by algorithm and element type, where the target has several; names as in ``interval``.
    metrics_by_group: dict[str, Metrics] = Field(default_factory=dict)
    hyperparameters: dict[str, float | int | str | list[int]] = Field(default_factory=dict)
    provenance: Provenance
    library_versions: dict[str, str] = Field(default_factory=dict)
    seed: int = 0
    created: str = ""
    #: File name to sha256, for every file beside the card that belongs to the model.
    files: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    #: Name and sha256 of the native file that this model was converted from; empty for models of this program's training.
    imported_from: str = ""
