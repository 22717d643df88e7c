"""Measurements to artefacts: data sets, fitting, evaluation, export."""
