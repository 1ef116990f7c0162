"""The words of the reports' tables, which are written in English, for translation where the viewer shows them."""

from __future__ import annotations

from autocontour.gui.look.language import later

TITLES = (
    later("Results"),
    later("Distances in mm and added path length, median (quartiles; 5th percentile, 95th percentile)"),
    later("Volume, method − reference in cm³ (Bland–Altman; failures have no volume)"),
    later("Against limits"),
    later("Paired tests"),
    later("Non-inferiority of the DSC"),
    later("Manual sets against each other"),
    later("Methods beside the observers: inside if the mean DSC with the manual sets is at least the lowest DSC "
          "of two manual sets in the same patient"),
    later("Dose, method − reference (at the voxels of the CT; structures wholly inside the dose grid)"),
    later("Intraclass correlation ICC(2,1) of volumes"),
    later("Not offered by a method"),
    later("Patients"),
    later("Drawn without a reference"),
    later("Left out"),
    later("Remarks"),
    later("Minutes per structure"),
    later("Not used"),
    later("Would you correct this? (95 % intervals)"),
    later("Would you correct this? By the method that drew the contour (95 % intervals)"),
    later("Human or machine? Manual and automatic contours (95 % intervals)"),
    later("Taken for human"),
    later("Agreement of the reviewers"),
    later("Repeatability: contours judged twice"),
    later("Automation bias: closeness to the automatic contour, approved − drawn from nothing"),
    later("Drawn from nothing"),
    later("Origin from the form of the shown outlines: area under the ROC curve, manual against automatic (0.5: "
          "nothing, 1: everything)"),
    later("Not compared"),
)  # fmt: skip
HEADS = (
    *(later("structure"), later("method"), later("n"), later("failures"), later("DSC mean ± SD")),
    *(later("95 % interval of the mean"), later("DSC median (quartiles)"), later("5th percentile"), later("lowest")),
    *(later("surface DSC median"), later("tau mm"), later("HD95"), later("HD"), later("mean surface distance")),
    *(later("distance of the centroids"), later("added path length"), later("bias")),
    *(later("95 % interval of the bias"), later("limits of agreement"), later("± of each limit")),
    *(later("figure"), later("value"), later("limit"), later("within"), later("source"), later("metric")),
    *(later("first"), later("second"), later("unpaired"), later("not finite"), later("median difference")),
    *(later("t test p"), later("Wilcoxon p"), later("level"), later("significant"), later("comparator")),
    *(later("mean difference"), later("lower bound"), later("margin"), later("shown")),
    *(later("source of the margin"), later("pairs"), later("patients"), later("DSC median (range)")),
    *(later("HD95 median"), later("DSC with the STAPLE consensus"), later("Fleiss' kappa")),
    *(later("identical pairs (left out)"), later("inside"), later("95 % interval"), later("mean of the reference")),
    *(later("mean difference ± SD"), later("median (quartiles)"), later("lowest difference")),
    *(later("highest difference"), later("sets"), later("ICC"), later("patient"), later("CT hash"), later("voxels")),
    *(later("spacing mm z × y × x"), later("structure sets (SHA-256)"), later("set or method")),
    *(later("structures"), later("code"), later("reason"), later("remark"), later("by hand")),
    *(later("with automatic contours"), later("unedited"), later("replaced"), later("saved")),
    *(later("saved in the same case"), later("case"), later("reviewer"), later("no"), later("minor"), later("major")),
    *(later("no or minor"), later("right"), later("p against chance"), later("manual taken for human")),
    *(later("automatic taken for machine"), later("balanced accuracy"), later("better than chance")),
    *(later("share"), later("reviewers"), later("question"), later("items"), later("same answer"), later("measure")),
    *(later("approved"), later("drawn"), later("difference"), later("interval by"), later("DSC drawn")),
    *(later("DSC approved"), later("added path drawn mm"), later("added path approved mm"), later("volume drawn %")),
    *(later("volume approved %"), later("approved by"), later("minutes"), later("feature"), later("area")),
    *(later("set"), later("taken for human")),
)
CELLS = frozenset(
    (later("yes"), later("no"), later("too few patients"), later("for comparison"), later("fewer than 3 sets"),
     later("manual"), later("automatic"), later("corrected"), later("all"), later("not stated"))
)  # fmt: skip
"""Words that stand alone in a cell."""
