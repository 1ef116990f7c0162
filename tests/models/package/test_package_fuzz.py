"""Five hundred mutated packages: each is sound or refused by an AC-MD code, whatever was changed."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile

import pytest

from autocontour.base.errors import ModelError
from autocontour.models.package.members import CHECKSUMS, METADATA, WEIGHTS, checksums_of, read_members
from autocontour.models.package.package import read_package, verify_package

PACKAGES = 500
PARTS = 10
VALUES = [
    None,
    0,
    -1,
    1,
    2,
    1e308,
    10**30,
    True,
    "",
    "x",
    "\0",
    "\u202e",
    "[red]",
    [],
    [[]],
    [0],
    {},
    {"a": None},
    "9" * 300,
    float("nan"),
]


def mutate_value(value, chance):
    """Change one place somewhere inside a JSON value."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        how = chance.random()
        if how < 0.1:
            del value[key]
        elif how < 0.15:
            value[chance.choice(["", "x", "\u202e", "__class__"])] = value.pop(key)
        else:
            value[key] = mutate_value(value[key], chance)
        return value
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        how = chance.random()
        if how < 0.1:
            del value[place]
        elif how < 0.2:
            value.append(copy.deepcopy(value[place]))
        else:
            value[place] = mutate_value(value[place], chance)
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and chance.random() < 0.5:
        return value * chance.choice([0, -1, 2, 0.5, 1e6, 1.0]) + chance.choice([0, 1, -1])
    return copy.deepcopy(chance.choice(VALUES))


def mutate_bytes(data, chance):
    """Change, remove or insert some bytes."""
    content = bytearray(data)
    for _ in range(chance.choice([1, 1, 3, 20])):
        place = chance.randrange(min(len(content), chance.choice([64, 2000, len(content)])))
        how = chance.random()
        if how < 0.6:
            content[place] = chance.randrange(256)
        elif how < 0.8:
            del content[place : place + chance.choice([1, 8, 1000])]
        else:
            content[place:place] = chance.randbytes(chance.choice([1, 8, 100]))
        if not content:
            return b""
    return bytes(content)


def mutate_package(members, chance):
    """Return the changed members; in most cases the checksums are made anew, as one who makes a package would."""
    changed = dict(members)
    how = chance.random()
    if how < 0.6:
        metadata = json.loads(changed[METADATA])
        for _ in range(chance.choice([1, 1, 2, 5])):
            metadata = mutate_value(metadata, chance)
        changed[METADATA] = json.dumps(metadata).encode()
    elif how < 0.7:
        changed[METADATA] = mutate_bytes(changed[METADATA], chance)
    elif how < 0.9:
        name = chance.choice(list(WEIGHTS.values()))
        changed[name] = mutate_bytes(changed[name], chance)
    elif how < 0.95:
        changed[CHECKSUMS] = mutate_bytes(changed[CHECKSUMS], chance)
        return changed
    else:
        del changed[chance.choice(list(changed))]
    if chance.random() < 0.95 and CHECKSUMS in changed:
        changed[CHECKSUMS] = checksums_of({name: data for name, data in changed.items() if name != CHECKSUMS})
    return changed


def write_changed(folder, members, chance):
    """Write the package as a folder, or as a zip of which some are damaged too."""
    if chance.random() < 0.6:
        folder.mkdir()
        for name, data in members.items():
            (folder / name).write_bytes(data)
        return folder
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", chance.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    path = folder.with_suffix(".zip")
    path.write_bytes(mutate_bytes(buffer.getvalue(), chance) if chance.random() < 0.5 else buffer.getvalue())
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_mutated_package_is_sound_or_refused_by_code(toy_package, tmp_path, part):
    members = read_members(toy_package.path)
    outcomes = {}
    for number in range(PACKAGES // PARTS):
        chance = random.Random(part * 1000 + number)
        path = write_changed(tmp_path / str(number), mutate_package(members, chance), chance)
        try:
            verify_package(read_package(path))
            outcome, sentence = "sound", ""
        except ModelError as error:
            outcome, sentence = error.code, str(error)
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"part {part}, number {number}: {type(error).__name__}: {error}")
        assert sentence.replace("\n", "").isprintable()
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert all(outcome == "sound" or outcome.startswith("AC-MD-0") for outcome in outcomes)
    assert len(outcomes) > 3
