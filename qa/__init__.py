"""Quality of contours: metrics, comparisons, checks, statistics."""

from autocontour.patient.matching import match_structures
from autocontour.qa.compare import ComparedStructure, Comparison, compare_contours, compare_sets
from autocontour.qa.metrics import TAU_MM, PairMetrics, added_path_length_mm, compute_metrics
from autocontour.qa.plausibility import check_contours
from autocontour.qa.statistics import PairedTest, Summary, bonferroni, compare_paired, summarize, summarize_patients
from autocontour.qa.surface import SurfaceDistances, compute_surface_distances

__all__ = [
    "TAU_MM",
    "ComparedStructure",
    "Comparison",
    "PairMetrics",
    "PairedTest",
    "Summary",
    "SurfaceDistances",
    "added_path_length_mm",
    "bonferroni",
    "check_contours",
    "compare_contours",
    "compare_paired",
    "compare_sets",
    "compute_metrics",
    "compute_surface_distances",
    "match_structures",
    "summarize",
    "summarize_patients",
]
