"""Model packages: what is refused, by its code, and what is kept."""

from __future__ import annotations

import json
import pickle
import shutil
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.models import available_packages, find_package, read_package, write_package
from autocontour.models.package import members
from autocontour.models.package.history import install_package, remove_package
from autocontour.models.package.members import CHECKSUMS, METADATA, checksums_of
from autocontour.models.package.package import verify_package


@pytest.fixture
def folder(toy_package, tmp_path):
    """A copy of the toy package to spoil."""
    return shutil.copytree(toy_package.path, tmp_path / "toy")


def seal(folder):
    """State the checksums anew, as one who makes a foreign package would."""
    data = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_bytes(checksums_of(data))
    return folder


def zipped(folder, names=None):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or sorted(member.name for member in folder.iterdir()):
            archive.write(folder / name, name)
    return path


def change(folder, **fields):
    metadata = json.loads((folder / METADATA).read_text())
    (folder / METADATA).write_text(json.dumps(metadata | fields))
    return seal(folder)


def refused(code, path):
    with pytest.raises(ModelError, match=code):
        verify_package(read_package(path))


def test_folder_and_zip_read_alike(toy_package, folder):
    verify_package(toy_package)
    again = read_package(zipped(folder))
    verify_package(again)
    assert again.checksum == toy_package.checksum
    assert list(again.structures) == ["Parotid_R", "Parotid_L", "Bone_Mandible"]
    assert again.structures["Parotid_L"].rules.side == "left"
    assert again.stages["segmenter"].window_zyx == (24, 24, 24)
    assert again.metadata["task"] == toy_package.metadata["task"]


def test_checksums_are_those_of_sha256sum(toy_package):
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=toy_package.path, check=True)


def test_missing(tmp_path):
    refused("AC-MD-001", tmp_path / "nothing")
    refused("AC-MD-001", tmp_path)


def test_foreign_member(folder):
    (folder / "notes.txt").write_text("hello")
    refused("AC-MD-002", folder)
    refused("AC-MD-002", zipped(folder))


def test_folder_inside(folder):
    (folder / "LICENSE").mkdir()
    refused("AC-MD-025", folder)


def test_member_twice(folder):
    path = zipped(folder)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, "{}")
    refused("AC-MD-026", path)


@pytest.mark.parametrize("name", ["model.pt", "weights.pkl", "network.py", "last.ckpt"])
def test_member_that_can_run_code(folder, name):
    (folder / name).write_bytes(b"")
    refused("AC-MD-003", seal(folder))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickle_instead_of_weights(folder, protocol):
    (folder / "segmenter.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}, protocol=protocol))
    refused("AC-MD-003", seal(folder))


def test_torch_archive_instead_of_weights(folder):
    import torch

    torch.save({"w": torch.zeros(3)}, folder / "segmenter.safetensors")
    refused("AC-MD-003", seal(folder))


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "a/../../evil.json", "..\\evil.json", "C:evil.json"]
)
def test_zip_slip(folder, name):
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "{}")
    refused("AC-MD-004", path)


def test_link_in_folder(folder):
    target = folder.parent / "elsewhere.safetensors"
    (folder / "segmenter.safetensors").rename(target)
    (folder / "segmenter.safetensors").symlink_to(target)
    refused("AC-MD-005", folder)


def test_link_in_zip(folder):
    path = zipped(folder)
    info = zipfile.ZipInfo("LICENSE")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    refused("AC-MD-005", path)


def test_bomb(folder):
    (folder / "training.json").write_bytes(b" " * (members.MAX_TEXT_BYTES + 1))
    path = zipped(seal(folder))
    assert path.stat().st_size < 200_000
    refused("AC-MD-006", path)
    refused("AC-MD-006", folder)


def test_bomb_that_lies_about_its_size(folder, monkeypatch):
    (folder / "training.json").write_bytes(b" " * 300_000)
    path = zipped(seal(folder))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02", data.rindex(b"training.json") - 46)
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read_package(path)


@pytest.mark.parametrize("name", [METADATA, "localizer.safetensors", "segmenter.safetensors"])
def test_tampered_byte(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    refused("AC-MD-007", folder)
    refused("AC-MD-007", zipped(folder))


def test_changed_between_reading_and_use(folder):
    package = read_package(folder)
    change(folder, version="9.9")
    with pytest.raises(ModelError, match="AC-MD-029"):
        package.read_weights("segmenter")


def test_checksums_missing_or_incomplete(folder):
    sums = (folder / CHECKSUMS).read_text().splitlines()
    (folder / CHECKSUMS).write_text("\n".join(sums[1:]) + "\n")
    refused("AC-MD-008", folder)
    (folder / CHECKSUMS).unlink()
    refused("AC-MD-008", folder)


def test_damaged_zip(folder):
    path = zipped(folder)
    path.write_bytes(path.read_bytes()[:-200])
    refused("AC-MD-009", path)
    path.write_bytes(b"no zip at all")
    refused("AC-MD-009", path)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"version": 3},
        {"body_site": None},
        {"structures": []},
        {"structures": [{"name": "A"}, {"name": "A"}]},
        {"structures": [{"name": "A", "rules": {"side": "up"}}]},
        {"structures": [{"name": "A", "threshold": 2}]},
        {"structures": "A"},
        {"structures": [{"name": "A", "statistics": {"volume_cc": [1]}}]},
        {"structures": [{"name": "A", "statistics": {"offset_zyx_mm": {"B": [[0, 0, 0], ["x", 0, 0]]}}}]},
        {"structures": [{"name": "A", "statistics": {"confidence": "high"}}]},
        {"stages": {}},
        {"stages": {"segmenter": {}}},
        {"stages": {"other": {}}},
        {"site": {"anchors": ["Spleen"]}},
        {"format": "1"},
    ],
)
def test_metadata_that_describe_no_package(folder, fields):
    refused("AC-MD-010", change(folder, **fields))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "NaN"])
def test_metadata_that_are_no_json(folder, text):
    (folder / METADATA).write_text(text)
    refused("AC-MD-010", seal(folder))


@pytest.mark.parametrize("window", [[24, 24], [24, 24, 0], [4096, 4096, 4096], [24, 24, "x"]])
def test_absurd_window(folder, toy_package, window):
    stages = toy_package.metadata["stages"]
    refused("AC-MD-010", change(folder, stages={"segmenter": stages["segmenter"] | {"window_zyx": window}}))


@pytest.mark.parametrize(
    ("network", "code"),
    [
        ({"growth": 10**9}, "AC-MD-010"),
        ({"block_layers": [1] * 1000}, "AC-MD-010"),
        ({"architecture": "os.system"}, "AC-MD-020"),
        ({"_target_": "subprocess.call"}, "AC-MD-022"),
        ({"in_channels": 3}, "AC-MD-015"),
        ({"strides_zyx": [[5, 5, 5]]}, "AC-MD-015"),
        ({"growth": 8}, "AC-MD-014"),
    ],
)
def test_foreign_network(folder, toy_package, network, code):
    stage = toy_package.metadata["stages"]["segmenter"]
    refused(code, change(folder, stages={"segmenter": stage | {"network": stage["network"] | network}}))


def test_stage_without_weights(folder):
    (folder / "localizer.safetensors").unlink()
    refused("AC-MD-010", seal(folder))


def test_later_format(folder):
    refused("AC-MD-011", change(folder, format=3))


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"\xff" * 40, b"\x02\x00\x00\x00\x00\x00\x00\x00{}trailing"])
def test_damaged_weights(folder, data):
    (folder / "segmenter.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"AC-MD-01[24]"):
        verify_package(read_package(seal(folder)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e5])
def test_weights_that_are_no_numbers(folder, toy_weights, value):
    from safetensors.torch import save

    damaged = {key: tensor.clone() for key, tensor in toy_weights["segmenter"].items()}
    damaged["head.bias"][0] = value
    (folder / "segmenter.safetensors").write_bytes(save(damaged))
    refused("AC-MD-013", seal(folder))


def test_wrong_shapes(folder, toy_weights):
    from safetensors.torch import save

    damaged = dict(toy_weights["segmenter"]) | {"head.bias": toy_weights["segmenter"]["head.bias"][:2].clone()}
    (folder / "segmenter.safetensors").write_bytes(save(damaged))
    refused("AC-MD-014", seal(folder))


def test_no_half_written_package(toy_package, toy_weights, tmp_path):
    with pytest.raises(ModelError, match="AC-MD-014"):
        write_package(tmp_path / "new", toy_package.metadata, {**toy_weights, "segmenter": {}})
    assert list(tmp_path.iterdir()) == []
    write_package(tmp_path / "new", toy_package.metadata, toy_weights, {"LICENSE": "Apache-2.0"})
    changed = {**toy_package.metadata, "version": "2.0.0"}
    assert write_package(tmp_path / "new", changed, toy_weights).version == "2.0.0"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_install_list_remove(folder):
    installed = install_package(zipped(folder))
    try:
        assert find_package("toy-neck").checksum == installed.checksum
        assert "toy-neck" in [package.name for package in available_packages()]
        with pytest.raises(ModelError, match="AC-MD-018"):
            install_package(folder)
        assert install_package(change(folder, version="2.0.0"), replace=True).version == "2.0.0"
        (installed.path / "LICENSE").write_text("damage")
        assert "toy-neck" not in [package.name for package in available_packages()]
    finally:
        remove_package("toy-neck")
    with pytest.raises(ModelError, match="AC-MD-017"):
        find_package("toy-neck")
    with pytest.raises(ModelError, match="AC-MD-017"):
        remove_package("toy-neck")


def test_a_damaged_package_is_not_installed(folder):
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match="AC-MD-002"):
        install_package(folder)


def test_listing_needs_no_torch():
    code = (
        "import sys; from autocontour.models import available_packages; available_packages();"
        "sys.exit(any(name in sys.modules for name in ('torch', 'monai', 'openvino')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
