"""The file of answers: what may happen to it, and that every change is found."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from autocontour.base.errors import OutputError, UsageError
from autocontour.qa.commissioning.blind import answers
from autocontour.qa.commissioning.blind.answers import AnswerPlace, AnswerWriter, encode, final_answers, hash_of


@pytest.fixture
def place(tmp_path):
    return AnswerPlace(tmp_path / "answers" / "kim.jsonl", tmp_path / "heads" / "kim.json", "seed")


def write(place, count=4):
    writer = AnswerWriter(place)
    for number in range(count):
        writer.append({"type": "answer", "task": f"t{number}", "value": number})
    writer.close()
    return place.file.read_bytes().splitlines(keepends=True)


def codes(place):
    return [problem.code for problem in place.read().problems]


def test_each_line_holds_the_hash_of_the_line_before(place):
    lines = [json.loads(line) for line in write(place)]
    assert [line["line"] for line in lines] == [1, 2, 3, 4]
    assert [line["previous"] for line in lines] == ["seed", *(line["hash"] for line in lines[:-1])]
    assert codes(place) == []
    assert place.read().last_hash == lines[-1]["hash"]


def test_a_changed_line_is_found(place):
    lines = write(place)
    place.file.write_bytes(b"".join([lines[0], lines[1].replace(b'"value":1', b'"value":7'), *lines[2:]]))
    assert codes(place) == ["AC-QA-220"]
    assert place.read().problems[0].message.startswith("Line 2 ")
    assert len(place.read().entries) == 1


def test_a_changed_line_with_a_new_hash_is_found_by_the_next(place):
    lines = write(place)
    entry = json.loads(lines[1]) | {"value": 7}
    entry["hash"] = hash_of(entry)
    place.file.write_bytes(b"".join([lines[0], encode(entry) + b"\n", *lines[2:]]))
    assert codes(place) == ["AC-QA-221"]


def test_a_rewritten_last_line_is_found_by_the_head(place):
    lines = write(place)
    entry = json.loads(lines[-1]) | {"value": 7}
    entry["hash"] = hash_of(entry)
    place.file.write_bytes(b"".join([*lines[:-1], encode(entry) + b"\n"]))
    assert codes(place) == ["AC-QA-221"]


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_a_removed_line_is_found(place, removed):
    lines = write(place)
    del lines[removed]
    place.file.write_bytes(b"".join(lines))
    assert "AC-QA-221" in codes(place)


def test_removed_last_lines_are_found(place):
    lines = write(place)
    for left in (3, 1, 0):
        place.file.write_bytes(b"".join(lines[:left]))
        assert codes(place) == ["AC-QA-222"]
    place.file.unlink()
    assert codes(place) == ["AC-QA-222"]


def test_exchanged_and_repeated_lines_are_found(place):
    lines = write(place)
    for order in ([0, 2, 1, 3], [0, 1, 1, 2, 3], [3, 2, 1, 0]):
        place.file.write_bytes(b"".join(lines[number] for number in order))
        assert "AC-QA-221" in codes(place)


@pytest.mark.parametrize("damage", [b"\n", b"[]\n", b"{}\n", b"[" * 5000 + b"\n", b'{"a": NaN}\n', b"\xff\xfe\n"])
def test_a_foreign_line_is_found(place, damage):
    lines = write(place)
    place.file.write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
    assert "AC-QA-220" in codes(place)


def test_other_blanks_or_keys_in_another_order_are_a_change(place):
    lines = write(place)
    spaced = json.dumps(json.loads(lines[1]), sort_keys=True).encode() + b"\n"
    place.file.write_bytes(b"".join([lines[0], spaced, *lines[2:]]))
    assert codes(place) == ["AC-QA-220"]


def test_the_answers_of_another_reviewer_do_not_pass(place, tmp_path):
    write(place)
    other = AnswerPlace(place.file, place.head, "another seed")
    assert codes(other) == ["AC-QA-221"]


def test_a_lost_or_damaged_head_is_stated(place):
    write(place)
    for content in (b"", b"[]", b'{"lines": "x"}'):
        place.head.write_bytes(content)
        assert codes(place) == ["AC-QA-223"]
    place.head.unlink()
    assert codes(place) == ["AC-QA-223"]


def test_a_program_killed_between_the_line_and_the_head_is_sound(place):
    write(place, 3)
    head = place.head.read_bytes()
    write(place, 1)
    place.head.write_bytes(head)
    assert codes(place) == []
    AnswerWriter(place).close()
    assert json.loads(place.head.read_bytes())["lines"] == 4


def test_an_unfinished_line_is_kept_as_a_record_and_is_no_answer(place):
    lines = write(place)
    place.file.write_bytes(b"".join(lines) + lines[0][:40])
    assert place.read().unfinished == lines[0][:40]
    assert codes(place) == []
    writer = AnswerWriter(place)
    assert writer.entries[-1]["type"] == "unfinished"
    assert writer.entries[-1]["text"] == lines[0][:40].decode()
    writer.append({"type": "answer", "task": "t9", "value": 9})
    writer.close()
    assert codes(place) == []
    assert list(final_answers(place.read().entries)) == ["t0", "t1", "t2", "t3", "t9"]


def test_two_programs_cannot_write(place):
    writer = AnswerWriter(place)
    with pytest.raises(UsageError, match="AC-QA-230"):
        AnswerWriter(place)
    writer.close()
    AnswerWriter(place).close()


def test_nothing_is_added_to_a_file_that_is_not_sound(place):
    lines = write(place)
    place.file.write_bytes(b"".join(lines[:2]))
    with pytest.raises(UsageError, match="AC-QA-231"):
        AnswerWriter(place)
    assert place.file.read_bytes() == b"".join(lines[:2])


def test_a_file_changed_while_it_is_open_is_not_continued(place):
    writer = AnswerWriter(place)
    writer.append({"type": "begin"})
    with place.file.open("ab") as file:
        file.write(b"x\n")
    with pytest.raises(UsageError, match="AC-QA-232"):
        writer.append({"type": "answer", "task": "t1"})
    place.file.unlink()
    with pytest.raises(UsageError, match="AC-QA-232"):
        writer.append({"type": "answer", "task": "t1"})
    writer.close()


def test_a_full_disk_adds_nothing_and_the_next_try_does(place, monkeypatch):
    writer = AnswerWriter(place)
    writer.append({"type": "begin"})
    before, real = place.file.read_bytes(), os.write

    def full(handle, data):
        if len(data) > 40:
            return real(handle, bytes(data[:40]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answers.os, "write", full)
    with pytest.raises(OutputError):
        writer.append({"type": "answer", "task": "t" * 80})
    monkeypatch.undo()
    assert place.file.read_bytes() == before
    writer.append({"type": "answer", "task": "t1"})
    writer.close()
    assert codes(place) == []
    assert len(place.read().entries) == 2


def test_folders_that_cannot_be_used(place, tmp_path, monkeypatch):
    place.file.parent.write_text("a file")
    with pytest.raises(OutputError):
        AnswerWriter(place)
    place.file.parent.unlink()
    place.file.mkdir(parents=True)
    with pytest.raises(OutputError):
        AnswerWriter(place)
    place.file.rmdir()

    def full(self):
        raise OutputError("AC-OUT-008", reason="x")

    monkeypatch.setattr(AnswerWriter, "_write_head", full)
    place.file.write_bytes(b"unfinished")
    with pytest.raises(OutputError):
        AnswerWriter(place)


PROGRAM = """
import sys
from pathlib import Path
from autocontour.qa.commissioning.blind.answers import AnswerPlace, AnswerWriter
folder = Path(sys.argv[1])
writer = AnswerWriter(AnswerPlace(folder / "answers" / "kim.jsonl", folder / "heads" / "kim.json", "seed"))
number = 0
while True:
    writer.append({"type": "answer", "task": f"t{number}", "text": "x" * 2000})
    number += 1
    print(number, flush=True)
"""


def test_kill_9_loses_no_answer_that_was_stored(place, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = 20 + len(process.stdout.read().split())
    process.wait(10)
    found = place.read()
    assert found.problems == ()
    assert len(found.entries) >= told
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            AnswerWriter(place).close()
            break
        except UsageError:
            time.sleep(0.05)
    assert codes(place) == []
