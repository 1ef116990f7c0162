"""What may never happen to files: an input overwritten, half a result, a hang, a traceback."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from autocontour.base import files
from autocontour.base.errors import OutputError
from autocontour.base.files import remove_unfinished, replacing, write_atomically
from autocontour.cli import main
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import Structure
from autocontour.phantom import build_phantom
from autocontour.pipeline.sources import mask_names

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files and limits")
LUNG = ("--structures", "Lung_L")


@pytest.fixture(scope="module")
def phantom():
    return build_phantom("thorax", 1, spacing_zyx_mm=(6.0, 4.0, 4.0), shape_zyx=(40, 120, 120))


@pytest.fixture
def ct_folder(phantom, tmp_path: Path) -> Path:
    write_ct_series(phantom.hu, phantom.geometry, tmp_path / "CT", SeriesDescription(uid_seed="1"))
    return tmp_path / "CT"


@pytest.fixture
def image(phantom, tmp_path: Path) -> Path:
    import SimpleITK

    written = SimpleITK.GetImageFromArray(np.asarray(phantom.hu))
    written.SetSpacing((4.0, 4.0, 6.0))
    (tmp_path / "image").mkdir()
    SimpleITK.WriteImage(written, str(tmp_path / "image" / "Lung_L.nii.gz"))
    return tmp_path / "image" / "Lung_L.nii.gz"


def contour(source: Path, output: Path, *options: object) -> int:
    return main(["contour", str(source), "-o", str(output), *LUNG, *map(str, options)])


def one_slice(ct_folder: Path, tmp_path: Path) -> Iterator[Path]:
    path = sorted(ct_folder.iterdir())[7]
    yield path
    link = tmp_path / "link.dcm"
    link.symlink_to(path)
    yield link
    hard = tmp_path / "hard.dcm"
    hard.hardlink_to(path)
    yield hard
    folder = tmp_path / "linked folder"
    folder.symlink_to(ct_folder)
    yield folder / path.name
    yield ct_folder / ".." / "CT" / path.name
    yield path.with_name(path.name.swapcase())


@posix_only
@pytest.mark.parametrize("option", ["--force", "--append", "--replace"])
def test_an_output_that_is_an_input_is_refused_through_every_link(
    ct_folder: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for output in one_slice(ct_folder, tmp_path):
        before = output.read_bytes() if output.exists() else None
        assert contour(ct_folder, output, option) == 5
        assert "AC-OUT-004" in capsys.readouterr().err
        assert (output.read_bytes() if output.exists() else None) == before


@posix_only
def test_a_folder_of_links_keeps_its_links_and_their_files(
    ct_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for path in ct_folder.iterdir():
        (links / path.name).symlink_to(path)
    name = sorted(ct_folder.iterdir())[3].name
    for output in (links / name, ct_folder / name):
        before = output.read_bytes()
        assert contour(links, output, "--force") == 5
        assert "AC-OUT-004" in capsys.readouterr().err
        assert output.read_bytes() == before
    assert (links / name).is_symlink()


def test_a_template_and_an_image_are_inputs_too(
    ct_folder: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "site.toml"
    template.write_text('[[structures]]\nname = "Lung_L"\n')
    assert main(["contour", str(ct_folder), "-o", str(template), "--template", str(template), "--force"]) == 5
    assert "AC-OUT-004" in capsys.readouterr().err
    before = image.read_bytes()
    assert contour(image, image.parent, "--force") == 5  # the mask would have the name of the image
    assert "AC-OUT-004" in capsys.readouterr().err
    assert image.read_bytes() == before


def test_a_structure_set_in_the_folder_of_the_ct_may_be_replaced(ct_folder: Path) -> None:
    output = ct_folder / "RS.dcm"
    assert contour(ct_folder, output) == 0
    assert contour(ct_folder, output, "--force") == 0


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix_only
@pytest.mark.parametrize("size", [0, 200, 1000])
def test_a_quota_is_said_and_leaves_nothing(
    ct_folder: Path, image: Path, tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, output in ((ct_folder, tmp_path / "out" / "RS.dcm"), (image, tmp_path / "masks")):
        with file_size_limit(size):
            code = contour(source, output)
        assert code == 5
        assert "AC-OUT-00" in capsys.readouterr().err
        assert not output.is_file()
        assert not list(output.parent.rglob("*.part"))
        assert not list(output.parent.rglob("*.nii.gz")) or output.parent == tmp_path
    assert not any((tmp_path / "masks").iterdir()) if (tmp_path / "masks").exists() else True


@posix_only
def test_of_several_masks_all_are_written_or_none(image: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    names = ("External", "Lung_L", "Lung_R")
    assert main(["contour", str(image), "-o", str(masks), "--structures", *names]) == 0
    sizes = sorted(path.stat().st_size for path in masks.iterdir())
    for path in masks.iterdir():
        path.unlink()
    with file_size_limit(sizes[-1] - 1):  # the largest does not fit
        assert main(["contour", str(image), "-o", str(masks), "--structures", *names]) == 5
    assert list(masks.iterdir()) == []


@posix_only
@pytest.mark.parametrize("command", ["evaluate", "template", "package", "output", "ct"])
def test_a_fifo_is_refused_at_once(ct_folder: Path, tmp_path: Path, command: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    output = tmp_path / "RS.dcm"
    arguments = {
        "evaluate": ["evaluate", fifo, fifo, "--ct", ct_folder],
        "template": ["contour", ct_folder, "-o", output, "--template", fifo],
        "package": ["contour", ct_folder, "-o", output, "--package", fifo],
        "output": ["contour", ct_folder, "-o", fifo, *LUNG, "--force"],
        "ct": ["contour", fifo, "-o", output],
    }[command]
    assert main([str(argument) for argument in arguments]) in range(2, 7)
    assert fifo.is_fifo()


@pytest.mark.parametrize(
    "arguments",
    [
        ["contour", "{bad}", "-o", "RS.dcm"],
        ["contour", "{ct}", "-o", "{bad}"],
        ["contour", "{ct}", "-o", "{bad}", "--append"],
        ["contour", "{ct}", "-o", "RS.dcm", "--template", "{bad}"],
        ["contour", "{ct}", "-o", "RS.dcm", "--package", "{bad}"],
        ["evaluate", "{bad}", "{bad}", "--ct", "{ct}"],
        ["info", "{bad}"],
        ["info", "--reviews", "{bad}"],
        ["models", "verify", "{bad}"],
        ["models", "install", "{bad}"],
        ["train", "{bad}", "-o", "out"],
        ["phantom", "-o", "{bad}", "--spacing", "9", "9", "9", "--shape", "4", "20", "20"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_too_long_is_refused_by_code(
    ct_folder: Path, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main([argument.format(bad="x" * 300, ct=ct_folder) for argument in arguments])
    assert code in range(2, 9)
    shown = capsys.readouterr()
    assert "AC-" in shown.out + shown.err


def test_rules_draw_where_the_users_data_folder_is_closed(ct_folder: Path, tmp_path: Path, monkeypatch) -> None:
    closed = tmp_path / "closed"
    closed.write_bytes(b"")  # no folder, which no privilege can enter
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(closed))
    assert contour(ct_folder, tmp_path / "RS.dcm") == 0


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@posix_only
def test_any_path_on_any_terminal(ct_folder: Path, tmp_path: Path, encoding: str) -> None:
    output = tmp_path / os.fsdecode(b"caf\xe9 \xff\xc3\xa9.dcm")
    command = [sys.executable, "-m", "autocontour.cli", "contour", str(ct_folder), "-o", str(output), *LUNG, "Larynx"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONPATH": os.pathsep.join(sys.path)}
    for options in (["--json"], []):
        done = subprocess.run([*command, *options], env=environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr
        if "--json" in options:
            assert json.loads(done.stdout.decode(encoding))[0]["output"] == str(output)
    assert done.returncode == 5
    assert output.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_report_that_cannot_be_printed_is_a_failure_with_a_code(
    ct_folder: Path, options: list[str], unbuffered: str
) -> None:
    command = [sys.executable, "-m", "autocontour.cli", "info", str(ct_folder), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith(b"AC-OUT-008")
    assert b"Exception" not in done.stderr


@posix_only
def test_sigterm_ends_a_command_and_cleans_up(ct_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "RS.dcm"
    command = [sys.executable, "-m", "autocontour.cli", "contour", str(ct_folder), "-o", str(output)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (0, 130, 143)
    assert [path.name for path in tmp_path.rglob("*") if "autocontour" in path.name] == []


@posix_only
def test_what_a_killed_program_left_is_no_dicom_and_is_swept(tmp_path: Path, monkeypatch) -> None:
    with replacing(tmp_path / "RS.dcm") as temporary:
        assert temporary.suffix == ".part"
        assert temporary.name.startswith(".")
        kept = temporary.name
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "dead process": kept.replace(f"-{os.getpid()}-", f"-{dead.pid}-"),
        "running": kept,
        "another computer": kept.replace(files._host(), "00000000"),
        "before": ".autocontour-abcd1234.dcm",
        "foreign": ".autocontour-notes of mine.dcm",
    }
    for name in names.values():
        (tmp_path / name).write_bytes(b"half")
    write_atomically(tmp_path / "RS.dcm", b"whole")
    left = {what for what, name in names.items() if (tmp_path / name).exists()}
    assert left == {"running", "another computer", "before", "foreign"}
    for name in names.values():
        if (tmp_path / name).exists():
            os.utime(tmp_path / name, (1, 1))
    remove_unfinished(tmp_path)
    assert {what for what, name in names.items() if (tmp_path / name).exists()} == {"foreign"}


@posix_only
def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OutputError, match="AC-OUT-007"):
        write_atomically(tmp_path / "fifo", b"")


def test_masks_of_names_that_differ_little_do_not_share_a_file() -> None:
    structures = [Structure(name, n, {}) for n, name in enumerate(("A b", "A_b", "a B", "C"), 1)]
    assert mask_names(structures) == ["A_b.nii.gz", "A_b_2.nii.gz", "a_B_3.nii.gz", "C.nii.gz"]


@posix_only
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_standard_stream_changes_neither_result_nor_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    monkeypatch.setattr(sys, closed, None)
    assert main(["models", "list", "--json"]) == 0
    monkeypatch.setattr(sys, closed, None)
    assert main(["info", str(tmp_path / "missing")]) == 3


def test_wrong_arguments_are_json_too_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["contour", "CT"], ["models", "list", "more"], ["follow", "--corrected", "one"], ["nothing"]):
        with pytest.raises(SystemExit, match="2"):
            main([*command, "--json"])
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-US-004"
    with pytest.raises(SystemExit, match="2"):
        main(["contour", "CT"])
    assert not capsys.readouterr().out
