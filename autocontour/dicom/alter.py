"""Modification of the files of a CT series, such as damage, for self-tests and tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset, dcmread

Change = Callable[[Dataset, int], object]
"""Receives the data set of a slice, which it changes in place, and the slice's number in order of file names."""


def alter_series(folder: Path, change: Change) -> None:
    """Apply `change` to every file of a series that `autocontour.dicom.series.write_ct_series` wrote.

    Parameters
    ----------
    folder
        Its files are replaced; the output of `change` is not checked.
    change
        Receives each data set and its number.
    """
    for number, path in enumerate(sorted(folder.iterdir())):
        dataset = dcmread(path)
        change(dataset, number)
        dataset.save_as(path, enforce_file_format=False)
