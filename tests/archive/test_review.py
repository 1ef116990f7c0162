"""The review of a patient's structures."""

import pytest

from autocontour.archive.review import LEAST_UNFITTING, count_unfitting
from autocontour.base.findings import Finding


def of_air(name):
    return Finding.of("AC-QA-117", name, structure=name, percent=40.0, limit=85)


@pytest.mark.parametrize(
    ("names", "is_other_image"),
    [
        (("Lung_R", "Lungs"), False),  # one collapsed lung, which is a part of both structures
        (("Lungs",), False),
        (("Lung_R", "Lung_L"), True),
        (("Lung_R", "Lung_L", "Lungs"), True),
    ],
)
def test_a_collapsed_lung_does_not_set_the_patient_aside(names, is_other_image):
    other = Finding.of("AC-QA-112", mm=12)
    assert (count_unfitting([*map(of_air, names), other]) >= LEAST_UNFITTING) == is_other_image


def test_lungs_and_a_heart_that_are_not_theirs_are_two():
    heart = Finding.of("AC-QA-118", "Heart", structure="Heart", percent=30.0, limit=5)
    assert count_unfitting([of_air("Lungs"), heart]) == 2
