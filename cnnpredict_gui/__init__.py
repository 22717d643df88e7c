"""Predicts how long convolution layers and whole CNNs take on many devices, offline."""

__version__ = "1.0.0"
