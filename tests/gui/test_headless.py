"""A script does a whole case with the functions of the viewer: both write the same file."""

from dataclasses import replace
from datetime import datetime

from pydicom import dcmread
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from autocontour.case import Edit, actions
from autocontour.case.export import ExportOptions, check_case, export_case, fix_problems
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, StructureSet
from tests.gui.conftest import ball, disc
from tests.gui.test_export import clinic, export, read_whole
from tests.gui.test_review import activate

__all__ = ["clinic"]  # a fixture

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
OF_THE_MOMENT = {
    *("SOPInstanceUID", "SeriesInstanceUID", "InstanceCreationDate", "InstanceCreationTime"),
    *("StructureSetDate", "StructureSetTime", "ContributionDateTime", "DateTime"),
}


def drawn():
    return replace(ball(), provenance=Provenance("rules", "1"))


def imported():
    hand = replace(ball(4, "Liver", (0, 200, 255)), tg263_name="Liver", generation=GenerationAlgorithm.MANUAL)
    return StructureSet("OLD", (hand,))


def with_the_viewer(window, qtbot, answer, path):
    """Every step with the window's own keys, dialogs and lists."""
    space = window.workspace

    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        activate(window, qtbot)
        QTest.keyClick(window, key, modifier)
        qtbot.waitUntil(lambda: not space.background.is_running, timeout=20_000)

    def sign(dialog):
        QTest.keyClicks(dialog.name, "A. Physicist")
        QTest.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)

    space.receive(drawn())
    space.apply(actions.import_structures(space.case, imported()))
    for number in space.state.numbers:
        space.redraw("Brush", {12: disc(r=9), 2: disc(r=4)}, number)
    space.select(4)
    press(KEY.Key_Backspace, CONTROL)  # revert
    window.panel.model.setData(window.panel.model.index(0), "Heart_as_the_clinic_calls_it")
    for number in space.state.numbers:
        space.select(number)
        if number == 4:
            answer(ApprovalDialog, sign)
            press(KEY.Key_Return, CONTROL)

    def fix(dialog):
        dialog.profile_box.setCurrentIndex(dialog.profile_box.findData("eclipse"))
        dialog.fix_all.click()
        dialog.sure.setChecked(True)

    export(window, qtbot, answer, path, fix)
    return [(item.approved_by, item.approved_at) for item in space.state.items]


def with_a_script(ct, root, path, approved_at):
    with actions.open_case(ct, root) as case:
        case.apply(actions.receive(case.state, drawn()))
        case.apply(actions.import_structures(case, imported()))
        for number in case.state.numbers:
            case.apply(Edit("Brush", {number: {12: disc(r=9), 2: disc(r=4)}}))
        case.apply(actions.revert(case.state, 4))
        case.apply(actions.rename(case.state, 1, "Heart_as_the_clinic_calls_it"))
        case.apply(actions.approve(case.state, 4, "A. Physicist", datetime.fromisoformat(approved_at)))
        options = ExportOptions("eclipse")
        edit, _ = fix_problems(check_case(case, options))
        case.apply(edit)
        warnings = {problem.finding.code for problem in check_case(case, options)}
        export_case(case, ct, path, options, accepted=warnings)


def lasting(path):
    """What a file says, without the moment and the UIDs of its writing."""
    dataset = dcmread(path)

    def drop(parent, element):
        if element.keyword in OF_THE_MOMENT:
            del parent[element.tag]

    references = dataset.ReferencedFrameOfReferenceSequence[0].to_json()
    dataset.walk(drop)
    return dataset.to_json_dict(), references


def test_a_script_and_the_viewer_write_the_same_file(window, qtbot, answer, clinic, tmp_path):
    ct = read_whole(clinic[0])
    window.show_ct(ct)
    approvals = with_the_viewer(window, qtbot, answer, tmp_path / "viewer.dcm")
    assert [by for by, _ in approvals] == ["", "A. Physicist"]
    with_a_script(ct, tmp_path / "cases of the script", tmp_path / "script.dcm", approvals[1][1])
    (one, references), (other, other_references) = map(lasting, (tmp_path / "viewer.dcm", tmp_path / "script.dcm"))
    assert references == other_references
    assert one.keys() == other.keys()
    for tag, value in one.items():
        assert value == other[tag], tag
    dataset = dcmread(tmp_path / "script.dcm")
    names = [(roi.ROIName, roi.ROIGenerationAlgorithm) for roi in dataset.StructureSetROISequence]
    assert names[1] == ("Liver", "MANUAL")
    assert [str(o.ROIInterpreter) for o in dataset.RTROIObservationsSequence] == ["", "A. Physicist"]
