"""Who is put aside for the gate: by person, once and for all."""

import json

import pytest

from autocontour.archive.key import Key
from autocontour.base.errors import LearningError
from autocontour.learning.records import TEST, TRAIN, CaseRecord
from autocontour.learning.split import decide_splits, group_by_person, read_people, write_people

KEY = Key(bytes(range(32)))


def record(name, *identities, fingerprint=""):
    return CaseRecord(name, "", identities=identities or (f"patient_hash:{name}",), fingerprint=fingerprint)


def decide(records, people=(), share=0.25, trained=()):
    return decide_splits(records, dict(people), share, trained, KEY)


def test_the_stated_share_of_the_patients_is_put_aside():
    splits, people = decide([record(f"c{number}") for number in range(40)])
    assert list(splits.values()).count(TEST) == 10
    assert len(people) == 40


def test_what_was_decided_stays_whoever_comes_later():
    first = [record(f"c{number}") for number in range(10)]
    splits, people = decide(first)
    later, _ = decide([*first, *(record(f"d{number}") for number in range(90))], people)
    assert {name: later[name] for name in splits} == splits


def test_all_cts_of_a_person_are_on_one_side_also_under_two_ids():
    one = record("a", "patient_hash:1", "person_hash:x", "ct_hash:1")
    other = record("b", "patient_hash:2", "person_hash:x", "ct_hash:2")
    third = record("c", "patient_hash:2", "ct_hash:3")
    assert [len(group) for group in group_by_person([one, record("z"), other, third])] == [1, 3]
    for share in (0.05, 0.9):
        splits, _ = decide([one, record("z"), other, third], share=share)
        assert len({splits["a"], splits["b"], splits["c"]}) == 1


def test_a_later_ct_of_a_test_patient_is_never_trained_on():
    splits, people = decide([record("a", "patient_hash:1")])
    assert splits == {"a": TEST}
    for identities in (("patient_hash:1", "ct_hash:9"), ("person_hash:x", "patient_hash:1")):
        later, _ = decide([record("b", *identities)], people)
        assert later["b"] == TEST


def test_a_test_patient_who_turns_out_to_be_one_of_the_training_leaves_the_test():
    people = {"patient_hash:1": TEST, "patient_hash:2": TRAIN}
    both = record("c", "patient_hash:1", "patient_hash:2")
    splits, after = decide([record("a", "patient_hash:1"), both], people)
    assert splits == {"a": TRAIN, "c": TRAIN}
    assert after["patient_hash:1"] == TRAIN


def test_a_ct_that_the_package_was_trained_on_is_not_put_aside():
    splits, _ = decide([record("a", fingerprint="f" * 64)], trained=["f" * 64])
    assert splits == {"a": TRAIN}


def test_a_damaged_file_is_refused_and_no_file_is_no_decision(tmp_path):
    assert read_people(tmp_path) == {}
    write_people(tmp_path, {"patient_hash:1": TEST})
    assert read_people(tmp_path) == {"patient_hash:1": TEST}
    for content in ("[1]", "{", json.dumps({"a": "validation"})):
        (tmp_path / "people.json").write_text(content)
        with pytest.raises(LearningError, match="AC-LN-003"):
            read_people(tmp_path)
