"""Artefacts to predictors: discovery, verification, loading, predicting."""
