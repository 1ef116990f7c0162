"""The window in Korean, and that nothing it shows was forgotten."""

import ast
import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer, QTranslator
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from autocontour.base.errors import CaseError
from autocontour.base.findings import Finding, Severity
from autocontour.case import Edit
from autocontour.case.effort import measure_effort
from autocontour.case.need import Need, assess_need
from autocontour.edits import HURange
from autocontour.gui.app.actions import all_actions
from autocontour.gui.look.language import CONTEXT, FOLDER, NAMES, language_of, sentence_of, tr, tr_count, use_language
from autocontour.gui.look.phrases import PHRASES, as_sentence, in_words, step_in_words
from autocontour.gui.panels.structure_list import need_in_words
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.tools.flood import range_in_words

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("translations", ROOT / "installer" / "translations.py")
translations = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(translations)
SHOWN = translations.collect_strings()
NOT_SAID = {
    "Auto-contouring failed: {name}.",  # by a process of its own, which has no window
    "autocontour {name}",  # name and version
    "pictures of one size and format are needed",  # a fault of the caller
}
OTHERS = [code for code in NAMES if code != "en"]


@pytest.fixture
def korean(qapp):
    use_language(qapp, "ko")
    yield
    use_language(qapp, "en")


@pytest.fixture
def korean_window(korean, opened):
    return opened


# Completeness -------------------------------------------------------------------------------------------------------


def test_the_words_of_every_action_are_found():
    rows = all_actions()
    assert {row.text for row in rows} | {row.tip for row in rows} | {row.menu for row in rows} <= set(SHOWN)


@pytest.mark.parametrize("language", OTHERS)
def test_everything_shown_has_a_translation_with_the_same_places_to_fill(language):
    found = translations.read_ts(FOLDER / f"{CONTEXT}_{language}.ts")
    assert [source for source in SHOWN if source not in found] == [], "run `make translations` and translate these"
    places = {source: sorted(re.findall(r"\{[^}]*\}", source)) for source in SHOWN}
    assert {s: found[s] for s in SHOWN if sorted(re.findall(r"\{[^}]*\}", found[s])) != places[s]} == {}
    assert "unfinished" not in (FOLDER / f"{CONTEXT}_{language}.ts").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_file_says_what_its_source_says(language):
    translator = QTranslator()
    assert translator.load(str(FOLDER / f"{CONTEXT}_{language}.qm"))
    found = translations.read_ts(FOLDER / f"{CONTEXT}_{language}.ts")
    assert {s: translator.translate(CONTEXT, s) for s in SHOWN} == {s: found[s] for s in SHOWN}


def test_updating_keeps_translations_and_the_glossary(tmp_path):
    path = tmp_path / "autocontour_xx.ts"
    path.write_text("<!-- glossary -->\n<TS version='2.1'/>", encoding="utf-8")
    translations.write_ts(path, "xx", ["new", "old"], {"old": "alt", "gone": "fort"})
    assert translations.read_ts(path) == {"old": "alt", "gone": "fort"}
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!-- glossary -->")
    assert 'type="vanished">fort<' in text
    assert text.count('type="unfinished"') == 1


def sentences(path):
    """Every text of two words or more that no call translates, but for styles; what is filled in is a {name}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in translations.LITERALS_OF:
            passed |= {id(part) for argument in node.args for part in ast.walk(argument)}
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            words = "".join(part.value if isinstance(part, ast.Constant) else "{name}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value
        else:
            continue
        is_markup = "px" in words or words.startswith("<")
        if re.search(r"[A-Za-z]{2,} [a-z]{2,}|[a-z]{4,} \{|\} [a-z]{4,}", words) and not is_markup:
            yield words


def test_no_sentence_of_the_viewer_was_forgotten():
    drawn = ("theme.py", "icons.py", "register.py")  # a style sheet, paths of SVG, faults of whoever writes a tool
    files = [path for path in (ROOT / "gui").rglob("*.py") if path.name not in drawn]
    left = {words for path in files for words in sentences(path)} - set(SHOWN) - NOT_SAID
    assert left == set()


# The window ---------------------------------------------------------------------------------------------------------


def test_menus_tools_and_tooltips_are_korean(korean_window):
    window = korean_window
    titles = [action.text() for action in window.menuBar().actions()]
    assert titles == ["파일", "편집", "도구", "슬라이스", "범위", "구조물", "검토", "보기", "도움말"]
    brush = window.action_set.by_name["brush"]
    assert brush.text() == "브러시"
    assert "칠합니다" in brush.toolTip()
    assert brush.shortcut().toString() == "B"
    assert window.panel.approve.text() == "승인"
    window.take_tool("brush")
    assert window._tool_label.text().startswith("브러시")


def test_steps_of_undo_are_kept_in_english_and_said_in_korean(korean_window):
    window = korean_window
    window.action_set.by_name["delete_here"].trigger()
    assert window.workspace.case.undo_label == "Delete on slice"
    assert "이 슬라이스에서 삭제" in window.action_set.by_name["undo"].toolTip()
    window.action_set.by_name["undo"].trigger()
    assert window.toast.text() == "실행 취소: 이 슬라이스에서 삭제"
    window.action_set.trigger("lock")
    assert "Heart 잠금" in window.action_set.by_name["undo"].toolTip()


def test_a_refusal_is_korean_and_names_the_structure(korean_window):
    korean_window.action_set.trigger("lock")
    assert not korean_window.workspace.may_change()
    assert korean_window.toast.text() == "Heart: 잠겨 있습니다. 변경하려면 잠금을 해제하세요."


def test_why_a_structure_needs_a_look_and_what_it_took_is_korean(korean_window):
    window = korean_window
    assert need_in_words(assess_need(window.workspace.current, {})) == "미확인"
    findings = (Finding.of("AC-RV-001", count=2), Finding.of("AC-RV-004", count=1))
    assert need_in_words(Need((1.0, 1.0), findings)) == "지적 사항 2건, 미확인 부위 1곳"
    effort = replace(measure_effort(window.workspace.current, 130.0), edited_slices=6, new_outline_mm=84.0)
    assert sentence_of(effort.summary()) == "2분 10초, 슬라이스 6개에 새 윤곽 84 mm"
    assert range_in_words(HURange(-30, 150)) == "-30 ~ 150 HU"
    assert in_words("Add structures of lung") == "lung 부위 구조물 추가"
    assert in_words("what nobody has foreseen") == "what nobody has foreseen"
    assert as_sentence("reading the CT") == "CT를 읽는 중"


def test_findings_and_errors_are_korean(korean_window):
    window, space = korean_window, korean_window.workspace
    finding = Finding.of("AC-GUI-001", "Heart", (12,), severity=Severity.WARN, reason="X")
    space.apply(Edit("Findings", fields={1: {"findings": (finding,)}}))
    words = "프로그램 오류로 실패했습니다"
    assert words in window.panel.facts.text()
    assert words in window.panel.model.data(window.panel.model.index(0), Qt.ItemDataRole.ToolTipRole)
    slider = window.views.slider
    assert words in slider.describe(slider._y(12))
    window.action_set.trigger("next_mark")
    assert words in window.toast.text()
    space.report_error(CaseError("AC-CASE-003"))
    assert window.toast.text() == "이 구조물 세트는 다른 스캔에 속합니다. 구조물을 그린 CT와 함께 여십시오."


def test_recovered_steps_name_what_they_changed(korean):
    assert step_in_words("Brush Heart") == "브러시 Heart"
    assert step_in_words("Delete on slice Heart") == "이 슬라이스에서 삭제 Heart"
    assert step_in_words("Approve Heart") == "Heart 승인"
    assert step_in_words("Withdraw approval of Heart") == "Heart 승인 취소"
    assert step_in_words("Undo Smart brush Heart") == "실행 취소(스마트 브러시 Heart)"


def test_a_dialog_is_korean_with_its_buttons(korean_window):
    seen = {}

    def look():
        dialog = QApplication.activeModalWidget()
        seen["title"] = dialog.windowTitle()
        seen["words"] = [label.text() for label in dialog.findChildren(QLabel)]
        seen["buttons"] = {button.text() for button in dialog.buttons.buttons()}
        dialog.reject()

    QTimer.singleShot(200, look)
    korean_window.action_set.by_name["margin"].trigger()
    assert seen["title"] == "마진"
    assert "Heart 윤곽을 넓힙니다. 음수는 줄입니다." in seen["words"]
    assert seen["buttons"] == {"적용", "취소"}


def test_qts_own_buttons_are_korean(korean, qtbot):
    box = QMessageBox(QMessageBox.Icon.Question, "", "", QMessageBox.StandardButton.Yes)
    qtbot.addWidget(box)
    assert "예" in box.button(QMessageBox.StandardButton.Yes).text()


# The choice ---------------------------------------------------------------------------------------------------------


def test_english_is_what_the_code_says(opened):
    assert [a.text() for a in opened.menuBar().actions()][:2] == ["File", "Edit"]
    assert {s: tr(s) for s in SHOWN if "{" not in s} == {s: s for s in SHOWN if "{" not in s}
    assert tr_count(1, "{count} slice", "{count} slices") == "1 slice"
    assert tr_count(0, "{count} slice", "{count} slices") == "0 slices"
    assert [in_words(phrase) for phrase in PHRASES if "{" not in phrase] == [p for p in PHRASES if "{" not in p]


def test_the_choice_is_remembered_and_holds_from_the_next_start(opened, tmp_path):
    english, korean = opened.action_set.languages.actions()[1:]
    assert [english.text(), korean.text()] == ["English", "한국어"]
    korean.trigger()
    assert "started again" in opened.toast.text()
    assert opened.menuBar().actions()[0].text() == "File"
    again = ViewerSettings(tmp_path / "viewer.ini")
    assert again.language == "ko"
    assert language_of(again.language) == "ko"


def test_without_a_choice_the_systems_languages_decide():
    assert language_of("", ["ko-KR", "en-US"]) == "ko"
    assert language_of("", ["de-DE", "ko"]) == "ko"
    assert language_of("", ["de-DE"]) == "en"
    assert language_of("en", ["ko-KR"]) == "en"
    assert language_of("gone", ["ko-KR"]) == "ko"
