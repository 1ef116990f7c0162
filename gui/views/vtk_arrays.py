"""Arrays between numpy and VTK."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# VTK has no types.


def to_vtk(array: NDArray[Any]) -> Any:  # noqa: ANN401
    """Return a VTK array with a copy of the values."""
    from vtkmodules.util import numpy_support

    return numpy_support.numpy_to_vtk(np.ascontiguousarray(array), deep=1)  # type: ignore[no-untyped-call]


def to_ids(array: NDArray[np.intp]) -> Any:  # noqa: ANN401
    """Return a VTK array of indices with a copy of the values."""
    from vtkmodules.util import numpy_support

    return numpy_support.numpy_to_vtkIdTypeArray(array, deep=1)  # type: ignore[no-untyped-call]


def to_numpy(array: Any) -> NDArray[Any]:  # noqa: ANN401
    """Return the values of a VTK array without a copy."""
    from vtkmodules.util import numpy_support

    values: NDArray[Any] = numpy_support.vtk_to_numpy(array)  # type: ignore[no-untyped-call]
    return values


def to_polygons(corners: NDArray[np.intp], count: int) -> Any:  # noqa: ANN401
    """Return a cell array of polygons of `count` corners each."""
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    cells = vtkCellArray()
    cells.SetData(to_ids(np.arange(0, len(corners) + 1, count)), to_ids(corners))
    return cells
