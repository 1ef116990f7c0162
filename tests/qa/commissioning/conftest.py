"""A package whose networks are never run."""

from __future__ import annotations

import pytest

from tests.models.toy_package import write_untrained

STRUCTURES = ["Parotid_R", "Parotid_L", "Bone_Mandible"]


@pytest.fixture(scope="module")
def toy_package(tmp_path_factory):
    """A package whose networks are never run."""
    folder = tmp_path_factory.mktemp("package") / "toy"
    structures = [{"name": name} for name in STRUCTURES]
    return write_untrained(folder, structures, 4, [-160, 240], body_site="HEAD AND NECK", version="1")
