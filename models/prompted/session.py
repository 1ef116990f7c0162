"""The interface of promptable models: points, boxes and scribbles on a CT give the probability of a structure in a box.

A session is about one CT and one structure at a time. Every prompt is answered with the whole structure as it follows
from all prompts since the last `PromptSession.reset`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring import contours_from_probability
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours


@dataclass(frozen=True, eq=False)
class Answer:
    """The structure as it follows from all prompts.

    Attributes
    ----------
    box
        Of the CT's voxels; None if there is nothing.
    probability
        (z, y, x) over the box, 0 to 1; 0.5 is the border.
    """

    box: Box | None
    probability: NDArray[np.float32]


class PromptSession(Protocol):
    """A promptable model with a CT loaded.

    Attributes
    ----------
    model
        What answers, for the provenance.
    license
        Licence of its weights; ``not stated`` if it does not say.
    """

    model: str
    license: str

    def add_point(self, voxel_zyx: tuple[int, int, int], *, positive: bool) -> Answer:
        """Say that a voxel belongs to the structure, or that it does not.

        Raises
        ------
        ModelError
            If there is no answer, or none that fits the CT; so do the other prompts.
        """
        ...

    def add_box(self, box: Box, *, positive: bool) -> Answer:
        """Say that the structure lies in a box of one slice, or that it does not."""
        ...

    def add_scribble(self, box: Box, scribble: NDArray[np.bool_], *, positive: bool) -> Answer:
        """Say of the marked voxels of a box that they belong to the structure, or that they do not."""
        ...

    def reset(self) -> None:
        """Forget all prompts: the next one is about another structure."""
        ...

    def close(self) -> None:
        """Let go of the model and of the CT that it was given."""
        ...


def contours_of(answer: Answer, geometry: VolumeGeometry) -> Contours:
    """Return the outlines of an answer at a probability of 0.5, on the slices of its CT."""
    if answer.box is None:
        return {}
    # The border of a structure lies half a voxel outside its outermost voxel, so the box needs one more around it.
    box = answer.box.padded((1, 1, 1), geometry.shape_zyx)
    before = [a - b for a, b in zip(answer.box.start_zyx, box.start_zyx, strict=True)]
    after = [a - b for a, b in zip(box.stop_zyx, answer.box.stop_zyx, strict=True)]
    padded = np.pad(answer.probability, list(zip(before, after, strict=True)))
    cropped = geometry.cropped(box)
    found = contours_from_probability(padded, cropped, cropped)
    return {z + box.start_zyx[0]: outline for z, outline in found.items()}
