"""Many packages at once: whose name counts, and that a damaged one harms no other (silent.md D, model packages)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from autocontour.base.errors import ModelError
from autocontour.cli import main
from autocontour.models import available_packages, check_library, find_package, read_package
from autocontour.models.package import library
from autocontour.models.package.history import install_package, remove_package
from autocontour.models.package.library import REPLACED, install_folder, read_library
from autocontour.models.package.members import CHECKSUMS, METADATA, checksums_of
from autocontour.models.package.package import verify_package


def seal(folder):
    data = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_bytes(checksums_of(data))
    return folder


def change(folder, **fields):
    metadata = json.loads((folder / METADATA).read_text())
    (folder / METADATA).write_text(json.dumps(metadata | fields))
    return seal(folder)


@pytest.fixture
def bundled(toy_package, tmp_path, monkeypatch):
    """A program that comes with the toy package, and a user who has none."""
    monkeypatch.setattr(library, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path / "data")
    return shutil.copytree(toy_package.path, tmp_path / "bundled" / "toy-neck")


@pytest.fixture
def own(toy_package, tmp_path, bundled):
    """Another package of the same name, not installed yet."""
    return change(shutil.copytree(toy_package.path, tmp_path / "own"), version="0.9.0")


def hand_copied(package, name):
    install_folder().mkdir(parents=True, exist_ok=True)
    return shutil.copytree(package, install_folder() / name)


def versions():
    return [(package.name, package.version, package.bundled) for package in available_packages()]


def test_a_package_named_as_a_bundled_one_is_not_installed_unasked(own):
    with pytest.raises(ModelError, match="AC-MD-028"):
        install_package(own)
    assert versions() == [("toy-neck", "1.0.0", True)]


@pytest.mark.parametrize("name", ["TOY-NECK", "toy neck", "ｔｏｙ－ｎｅｃｋ"])
def test_a_name_that_reads_the_same_is_the_same(own, name):
    with pytest.raises(ModelError, match="AC-MD-028"):
        install_package(change(own, name=name))


@pytest.mark.parametrize("version", ["0.9.0", "1.0.0", "9.0.0"])
def test_a_package_copied_by_hand_shadows_no_bundled_one(own, bundled, version):
    hand_copied(change(own, version=version), "toy-neck")
    hand_copied(own, "another-folder")
    assert versions() == [("toy-neck", "1.0.0", True)]
    assert find_package("toy-neck").path == bundled
    assert [entry.rival for entry in read_library()] == [None, bundled, bundled]
    assert [finding.code for finding in check_library()] == ["AC-MD-122"] * 2


def test_replacing_is_a_decision_about_these_two_packages(own, bundled):
    install_package(own, replace=True)
    assert versions() == [("toy-neck", "0.9.0", False)]
    assert find_package("toy-neck").version == "0.9.0"
    change(bundled, version="2.0.0")  # the program is updated
    assert versions() == [("toy-neck", "2.0.0", True)]


def test_what_replaces_a_bundled_package_is_replaced_by_hand_no_more(own, bundled):
    installed = install_package(own, replace=True)
    change(installed.path, version="0.8.0")
    assert versions() == [("toy-neck", "1.0.0", True)]


def test_a_replacement_that_is_damaged_is_not_replaced_in_turn(own):
    """The clinic decided for its own package: the bundled one must not draw in its place without a word."""
    installed = install_package(own, replace=True)
    (installed.path / METADATA).write_text("{}")
    assert versions() == []
    assert [finding.code for finding in check_library()] == ["AC-MD-120"]
    with pytest.raises(ModelError, match="AC-MD-007"):
        find_package("toy-neck")


def test_removing_a_replacement_brings_the_bundled_one_back(own):
    install_package(own, replace=True)
    remove_package("toy-neck")
    assert versions() == [("toy-neck", "1.0.0", True)]
    assert not (install_folder() / REPLACED).exists()
    with pytest.raises(ModelError, match="AC-MD-019"):
        remove_package("toy-neck")


@pytest.mark.parametrize("content", ["[]", "{", '{"toy-neck": 3}', '{"toy-neck": {}}', "[" * 100_000, "\0"])
def test_damage_to_the_record_of_replacements_replaces_nothing(own, content):
    install_package(own, replace=True)
    (install_folder() / REPLACED).write_text(content)
    assert versions() == [("toy-neck", "1.0.0", True)]


def test_of_two_own_packages_of_one_name_one_is_used(own, bundled):
    shutil.rmtree(bundled)
    first, second = hand_copied(own, "a"), hand_copied(own, "b")
    assert [(entry.folder, entry.rival) for entry in read_library()] == [(first, None), (second, first)]
    (first / METADATA).write_text("{}")
    assert versions() == [("toy-neck", "0.9.0", False)]


def test_a_long_name_has_a_short_folder(own):
    installed = install_package(change(own, name="한" * 200))
    assert len(installed.path.name) == library.LONGEST_FOLDER_NAME
    assert find_package("한" * 200).version == "0.9.0"


@pytest.mark.parametrize("name", ["no such", "\0", "a" * 5000, "../../etc"])
def test_a_name_that_nothing_has_is_refused(bundled, name):
    with pytest.raises(ModelError, match="AC-MD-017"):
        find_package(name)


DAMAGES = {
    "anchors null": lambda metadata: metadata["site"].update(anchors=None),
    "anchors number": lambda metadata: metadata["site"].update(anchors=3),
    "site list": lambda metadata: metadata.update(site=[1]),
    "zero stride": lambda metadata: metadata["stages"]["segmenter"]["network"].update(strides_zyx=[[0, 2, 2]]),
    "zero growth": lambda metadata: metadata["stages"]["segmenter"]["network"].update(growth=0),
    "network list": lambda metadata: metadata["stages"]["segmenter"].update(network=[1]),
    "architecture list": lambda metadata: metadata["stages"]["segmenter"]["network"].update(architecture=["unet"]),
    "strides text": lambda metadata: metadata["stages"]["segmenter"]["network"].update(strides_zyx="222"),
    "name null": lambda metadata: metadata.update(name=None),
    "name NUL": lambda metadata: metadata.update(name="toy\0neck"),
    "name override": lambda metadata: metadata.update(name="toy\u202eneck"),
    "name escape": lambda metadata: metadata.update(name="\x1b[31mred"),
    "structure override": lambda metadata: metadata["structures"][0].update(name="Parotid\u202e_R"),
    "version number": lambda metadata: metadata.update(version=1.0),
    "format true": lambda metadata: metadata.update(format=True),
    "statistics text": lambda metadata: metadata["structures"][0].update(statistics="x"),
    "stages null": lambda metadata: metadata.update(stages=None),
    "memory": lambda metadata: metadata["stages"]["segmenter"].update(window_zyx=[256, 256, 256]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_malformed_package_harms_no_other(own, damage, monkeypatch, capsys):
    from autocontour.models.networks import limits

    monkeypatch.setattr(limits, "machine_bytes", lambda: 1 << 28)
    metadata = json.loads((own / METADATA).read_text())
    metadata["name"] = "another"
    DAMAGES[damage](metadata)
    (own / METADATA).write_text(json.dumps(metadata))
    hand_copied(seal(own), "another")
    assert versions() == [("toy-neck", "1.0.0", True)]
    assert find_package("toy-neck").version == "1.0.0"
    assert [finding.code for finding in check_library()] == ["AC-MD-120"]
    assert main(["models", "list"]) == 0
    assert main(["models", "verify"]) == 6
    printed = capsys.readouterr().out
    assert "toy-neck: sound" in printed
    assert printed.count("AC-MD-") >= 2
    assert not any(letter in printed for letter in "\0\u202e\x1b")


def test_markup_in_a_name_is_printed_as_it_is(own, capsys):
    """A name that is allowed may look like rich's markup."""
    name = "[red]toy[/red]"
    metadata = json.loads((own / METADATA).read_text())
    metadata["structures"][0]["name"] = "[bold]Parotid_R"
    change(own, name=name, description="\x1b[31mred \u202e", site={}, structures=metadata["structures"])
    install_package(own)
    assert main(["models", "list"]) == 0
    assert name in capsys.readouterr().out
    assert main(["models", "show", name]) == 0
    printed = capsys.readouterr().out
    assert name in printed
    assert "[bold]Parotid_R" in printed
    assert not any(letter in printed for letter in "\u202e\x1b")
    assert main(["models", "verify", name]) == 0
    assert f"{name}: sound" in capsys.readouterr().out


def test_verify_names_both_packages_of_one_name(own, capsys):
    hand_copied(own, "toy-neck")
    assert main(["models", "verify", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"toy-neck", "toy-neck (installed, not used)"}
    install_package(own, replace=True)
    capsys.readouterr()
    assert main(["models", "verify", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"toy-neck", "toy-neck (came with the program, not used)"}


def zipped(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in sorted(folder.iterdir()):
            archive.write(member, member.name)
    return path


BOMB_MIB = 400


@pytest.fixture
def bomb(own):
    """Weights of 400 MiB of zeros that compress to half a MiB, with sound checksums."""
    with (own / "segmenter.safetensors").open("wb") as file:
        file.truncate(BOMB_MIB << 20)
    return seal(own)


def peak_mib(path):
    """Return the peak memory of reading a package in a process of its own, and the code it is refused by."""
    code = (
        "import re, sys, pathlib\n"
        "from autocontour.base.errors import ModelError\n"
        "from autocontour.models.package.package import read_package, verify_package\n"
        "try: verify_package(read_package(pathlib.Path(sys.argv[1])))\n"
        "except ModelError as error: print(error.code)\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) >> 10)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    refused, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return refused, int(peak)


def test_a_zip_bomb_costs_no_memory(bomb):
    """silent.md D: a bomb of 2 MB cost 3.1 GB before it was refused."""
    path = zipped(bomb)
    assert path.stat().st_size < 2 << 20
    code, peak = peak_mib(path)
    assert code == "AC-MD-024"
    assert peak < BOMB_MIB // 2


def test_a_folder_with_weights_far_too_large_costs_no_memory(bomb):
    code, peak = peak_mib(bomb)
    assert code == "AC-MD-014"
    assert peak < BOMB_MIB // 2


def test_a_name_with_a_nul_in_a_zip(own):
    path = zipped(own)
    data = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("LICENSE#", "text")
    path.write_bytes(path.read_bytes().replace(b"LICENSE#", b"LICENSE\0"))
    assert path.stat().st_size > len(data)
    with pytest.raises(ModelError, match="AC-MD-023"):
        read_package(path)


def test_a_name_with_an_override_in_a_zip_or_folder(own):
    (own / "LICENSE\u202e").write_text("text")
    for path in (own, zipped(own)):
        with pytest.raises(ModelError, match="AC-MD-023") as refusal:
            read_package(path)
        assert "\u202e" not in str(refusal.value)


def test_an_unreadable_file_is_refused_by_code(own, monkeypatch):
    from pathlib import Path

    def fail(path, *_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ModelError, match="AC-MD-027"):
        verify_package(read_package(own))
