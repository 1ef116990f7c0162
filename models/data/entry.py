"""What ``index.json`` says about training data, checked: see `autocontour.base.typed`."""

# `annotations` is not imported from __future__: cattrs needs the limits.

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from autocontour.base.limits import FileName, Length, Range, Rising, Text, Unique
from autocontour.base.typed import SettingsError, build

Slice = Annotated[int, Range(0, 100_000)]


@dataclass(frozen=True)
class Index:
    """What concerns all patients; their entries are checked one by one.

    Attributes
    ----------
    structures_by_bit
        Name of the structure of each bit of the labels.
    """

    open_keys: ClassVar[bool] = True
    structures_by_bit: Annotated[tuple[Annotated[str, Text(64)], ...], Length(1, 64), Unique()]


@dataclass(frozen=True)
class PatientEntry:
    """What the index says about one patient.

    Attributes
    ----------
    patient, split
        Names of its file and of the folder that the file is in.
    voxels
        Structure → how many voxels are labelled; a structure that is missing was not contoured.
    solid_slices
        Runs [start, end) of slices that hold enough CT.
    """

    open_keys: ClassVar[bool] = True
    patient: Annotated[str, FileName()]
    split: Annotated[str, FileName()]
    voxels: dict[str, Annotated[int, Range(0, 1 << 40)]]
    solid_slices: Annotated[tuple[Annotated[tuple[Slice, Slice], Rising()], ...], Length(1, 10_000)]


def read_entry(entry: Any) -> PatientEntry:  # noqa: ANN401  (foreign JSON)
    """Return a checked entry of the index.

    Raises
    ------
    ValueError
        With every problem of it.
    """
    try:
        return build(PatientEntry, entry)
    except SettingsError as error:
        raise ValueError(f"its entry in index.json: {error}") from error
