"""What is remembered between two starts."""

import pytest

from autocontour.base.settings import RECENT_KEPT, Settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "settings.json"


def test_choices_come_back(path, tmp_path):
    settings = Settings(path)
    assert (settings.reviewer, settings.profile, settings.recent) == ("", "generic", [])
    settings.reviewer, settings.profile = "의사 A", "eclipse"
    folders = [tmp_path / str(number) for number in range(RECENT_KEPT + 2)]
    for folder in folders:
        folder.mkdir()
        settings.remember(folder)
    settings.remember(folders[5])
    folders[-1].rmdir()
    again = Settings(path)
    assert (again.reviewer, again.profile) == ("의사 A", "eclipse")
    assert again.recent[0] == str(folders[5])
    assert len(again.recent) == RECENT_KEPT - 1
    assert again.recent_moved == [str(folders[-1])]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"reviewer": 5, "recent": "x"}'])
def test_a_damaged_file_counts_as_nothing_chosen(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    settings = Settings(path)
    assert (settings.reviewer, settings.profile, settings.recent) == ("", "generic", [])
    assert settings.value("size", 2.0) == 2.0
    settings.reviewer = "A"
    assert Settings(path).reviewer == "A"


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    settings = Settings(tmp_path / "file" / "settings.json")
    settings.reviewer = "A"
    assert settings.reviewer == "A"


@pytest.mark.parametrize("stored", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "true", '"3"', "null"])
def test_a_number_that_is_not_finite_counts_as_not_chosen(path, stored):
    path.parent.mkdir()
    path.write_text(f'{{"size": {stored}, "whole": 3}}')
    settings = Settings(path)
    assert settings.value("size", 2.0) == 2.0
    assert settings.value("whole", 2.0) == 3.0
