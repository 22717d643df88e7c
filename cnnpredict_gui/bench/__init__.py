"""Stopwatches: predictor latency and real convolutions."""
