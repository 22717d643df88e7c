"""The one tree of exceptions: each error says what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


class CnnPredictError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: What is wrong and where, in one line.
        hint: What the user can do about it, in one line (may be empty).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(CnnPredictError):
    """A convolution configuration that cannot exist; ``field`` names the parameter at fault."""

    def __init__(self, message: str, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint)
        self.field = field


class DataFileError(CnnPredictError):
    """A table of configurations or measurements that cannot be read or lacks columns."""


@dataclass(frozen=True)
class OpenDimension:
    """An extent that a network file leaves open.

    ``name`` is the file's own name for it, or ``input:axis`` if it has none; ``meaning`` is ``batch``, ``channels``,
    ``height``, ``width`` or empty where the axis does not tell.
    """

    name: str
    meaning: str = ""


class OpenShapeError(DataFileError):
    """A network file that leaves extents open; ``dimensions`` lists those that need a value."""

    def __init__(self, message: str, hint: str, dimensions: tuple[OpenDimension, ...]) -> None:
        super().__init__(message, hint)
        self.dimensions = dimensions


class OutputError(CnnPredictError):
    """A result that could not be written; nothing was left half-written."""


class ModelError(CnnPredictError):
    """Base of everything that is wrong with a model file, its card or its name."""


class ModelFileError(ModelError):
    """A model file that is missing, truncated, altered or of an unexpected kind."""


class CardError(ModelError):
    """A model card that is unreadable or does not match the file beside it."""


class UnknownNameError(ModelError):
    """A predictor, target, preset or field that does not exist; carries the nearest match."""


class PredictionError(ModelError):
    """A model that answered with something that is not a time."""


class WorkerError(CnnPredictError):
    """A child process that failed, was killed or ran out of time or memory."""


class CancelledByUserError(CnnPredictError):
    """The user cancelled a long task; not a failure."""
