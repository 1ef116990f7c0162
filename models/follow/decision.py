"""Whether a proposal is likely to help: a logistic regression calibrated on patients that no network was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, log1p
from typing import Any

BONE_HU = 300.0


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
