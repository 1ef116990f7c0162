"""The content of ``index.json`` of training data, checked: see `autocontour.base.typed`."""

# `annotations` is not imported from __future__: cattrs needs the limits.

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from autocontour.base.limits import FileName, Length, Range, Rising, Text, Unique
from autocontour.base.typed import SettingsError, build

Slice = Annotated[int, Range(0, 100_000)]


@dataclass(frozen=True)
class Index:
    """The common part; the entries of patients are checked one by one.

    Attributes
    ----------
    structures_by_bit
        Name of the structure of each bit of the labels.
    """

    open_keys: ClassVar[bool] = True
    structures_by_bit: Annotated[tuple[Annotated[str, Text(64)], ...], Length(1, 64), Unique()]


@dataclass(frozen=True)
class PatientEntry:
    """Entry of one patient in the index.

    Attributes
    ----------
    patient, split
        Names of its file and of the folder that the file is in.
    voxels
        Structure → number of labelled voxels; a structure that is missing was not contoured.
    solid_slices
        Runs [start, end) of slices with enough CT.
    """

    open_keys: ClassVar[bool] = True
    patient: Annotated[str, FileName()]
    split: Annotated[str, FileName()]
    voxels: dict[str, Annotated[int, Range(0, 1 << 40)]]
    solid_slices: Annotated[tuple[Annotated[tuple[Slice, Slice], Rising()], ...], Length(1, 10_000)]


def read_entry(entry: Any) -> PatientEntry:  # noqa: ANN401  (external JSON)
    """Return a checked entry of the index.

    Raises
    ------
    ValueError
        With all its problems.
    """
    try:
        return build(PatientEntry, entry)
    except SettingsError as error:
        raise ValueError(f"its entry in index.json: {error}") from error
