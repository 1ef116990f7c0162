"""Small phantoms, built once."""

import pytest

from autocontour.phantom import PhantomOptions, build_phantom

GRID = {"spacing_zyx_mm": (8.0, 4.0, 4.0), "shape_zyx": (50, 128, 128)}
CLEAN = PhantomOptions(noise_hu=0.0, couch=False)


@pytest.fixture(scope="session")
def head_neck():
    return build_phantom("head-neck", 4, **GRID, options=CLEAN)


@pytest.fixture(scope="session")
def thorax():
    return build_phantom("thorax", 4, **GRID, options=CLEAN)
