"""ONNX Runtime with its telemetry off; nothing of the program imports it from anywhere else.

Its official builds tell their makers which models are loaded on which computer, unless this variable is set before it is loaded
(Linux, macOS) or the function is called (Windows); see docs/Privacy.md of ONNX Runtime.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
