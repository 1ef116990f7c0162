"""Commissioning: measurement of a model package on patients with reference contours, and its reports."""

from autocontour.qa.commissioning.card import write_card
from autocontour.qa.commissioning.cohort import CohortCase, read_cases
from autocontour.qa.commissioning.measure import MeasuredStructure, measure_package, read_measured, write_measured

__all__ = [
    "CohortCase",
    "MeasuredStructure",
    "measure_package",
    "read_cases",
    "read_measured",
    "write_card",
    "write_measured",
]
