"""The script of docs/scripting.md runs as it stands."""

import re
from pathlib import Path

from pydicom import dcmread

from autocontour.case.source import read_case_ct
from autocontour.dicom.series import write_ct_series
from autocontour.phantom import build_phantom

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scripting.md"


def test_the_script_of_the_page_writes_an_approved_set(tmp_path, monkeypatch):
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(6.0, 4.0, 4.0), shape_zyx=(40, 120, 120))
    write_ct_series(phantom.hu, phantom.geometry, tmp_path / "CT")
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(script, {"__name__": "__main__"})
    dataset = dcmread(tmp_path / "RS.dcm")
    assert (dataset.ApprovalStatus, dataset.ReviewerName, dataset.StructureSetLabel) == (
        "APPROVED",
        "A. Physicist",
        "LUNGS",
    )
    generation = {roi.ROIName: roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence}
    assert generation == {"Lung_L": "SEMIAUTOMATIC", "Lung_R": "AUTOMATIC", "Shell_L": "MANUAL"}
    (case,) = (tmp_path / "cases").iterdir()
    assert read_case_ct(case).hu.shape == (40, 120, 120)
