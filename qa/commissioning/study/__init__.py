"""Commissioning studies: packages, rules and other programs measured against the manual contours of a cohort."""
