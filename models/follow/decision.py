"""Whether a proposal is likely to help, and how much of it is interpolation.

Both are logistic regressions calibrated on patients that no network was trained on; their coefficients are in the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.patient.geometry import Floats

BONE_HU = 300.0
UNTRIED = 0.35
"""What is assumed of interpolation where no corrected slice lies between others."""


@dataclass(frozen=True)
class Decision:
    """Coefficients of the card's ``decision``.

    Attributes
    ----------
    weights
        Of `features`, in their order.
    bias
        Of the logit.
    least
        Least probability with which a proposal is shown.
    """

    weights: tuple[float, ...]
    bias: float
    least: float

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Decision | None:
        """Return the decision of a card; None if it has none, so that every proposal is shown."""
        entry = card.get("decision")
        return None if entry is None else cls(tuple(entry["weights"]), float(entry["bias"]), float(entry["least"]))

    def probability(self, features: tuple[float, ...]) -> float:
        """Return the probability that the other slices become better."""
        logit = self.bias + sum(weight * value for weight, value in zip(self.weights, features, strict=True))
        return 1 / (1 + exp(-max(-50.0, min(50.0, logit))))

    def shows(self, features: tuple[float, ...]) -> bool:
        """Whether the probability is high enough."""
        return self.probability(features) >= self.least


@dataclass(frozen=True)
class Blend:
    """Coefficients of the card's ``blend``: how much of a proposal is the interpolation of the corrected slices.

    Attributes
    ----------
    automatic, nothing
        With and without automatic contours: constant, of `likeness`, and of the logarithm of a gap relative to those
        of the test.
    """

    automatic: tuple[float, float, float]
    nothing: tuple[float, float, float]

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Blend | None:
        """Return the blend of a card; None if it has none, so that nothing is interpolated."""
        entry = card.get("blend")
        return None if entry is None else cls(tuple(entry["automatic"]), tuple(entry["nothing"]))

    def shares(self, gaps_mm: Floats, tried: Tried, *, is_automatic: bool) -> NDArray[np.float32]:
        """Return the share of interpolation, from 0 to 1, on slices between two corrected ones `gaps_mm` apart.

        Beyond the outermost corrected slices, where the distance is 0, it is 0.
        """
        constant, of_likeness, of_gap = self.automatic if is_automatic else self.nothing
        relative = np.log(2 * np.maximum(gaps_mm, 1.0) / tried.gap_mm) if tried.gap_mm else np.zeros(len(gaps_mm))
        logits = constant + of_likeness * (tried.likeness - 0.5) + of_gap * relative
        shares: NDArray[np.float32] = np.where(gaps_mm > 0, 1 / (1 + np.exp(-logits)), 0.0).astype(np.float32)
        return shares


@dataclass(frozen=True)
class Tried:
    """How well interpolation draws corrected slices that are left out in turn.

    Attributes
    ----------
    likeness
        Mean DSC with them.
    gap_mm
        Mean distance between the neighbours of a slice that was left out; 0 if none could be.
    """

    likeness: float = UNTRIED
    gap_mm: float = 0.0


def features_of(correction: float, change: float, count: int, hu: float) -> tuple[float, ...]:
    """Return what the decision depends on.

    Parameters
    ----------
    correction, change
        As in `autocontour.models.follow.follow.Followed`.
    count
        Number of corrected slices.
    hu
        Mean HU within the corrected outlines: thin bone is drawn better by a threshold than on coarse voxels.
    """
    return correction, change, log(max(correction, 0.01) / max(change, 0.01)), log1p(count), float(hu > BONE_HU)
