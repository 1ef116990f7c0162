"""The guarded reader: whatever the bytes, a dataset or one of our errors."""

import subprocess
import sys
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from autocontour.base.errors import CTError, StructureSetError
from autocontour.dicom import guarded, read_dataset
from autocontour.dicom.elements import UnusualEncodingError, read_elements
from autocontour.dicom.header import _WANTED

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom talks about damaged data
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def to_bytes(dataset):
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_bytes_and_paths(ct, tmp_path, slices):
    data = to_bytes(slices[0])
    (tmp_path / "a.dcm").write_bytes(data)
    for source in (data, tmp_path / "a.dcm"):
        dataset = read_dataset(source)
        assert dataset.PatientID == "PHANTOM-1"
        assert "PixelData" in dataset
        assert "PixelData" not in read_dataset(source, stop_before_pixels=True)
        assert set(read_dataset(source, specific_tags=[0x00100020]).keys()) <= {0x00080005, 0x00100020}


def test_the_error_asked_for(tmp_path):
    with pytest.raises(StructureSetError, match="AC-RS-001"):
        read_dataset(b"no DICOM", error=StructureSetError, code="AC-RS-001")
    with pytest.raises(StructureSetError, match="AC-RS-001"):
        read_dataset(tmp_path / "none.dcm", error=StructureSetError, code="AC-RS-001")
    with pytest.raises(CTError, match="AC-CT-007"):
        read_dataset(tmp_path / "none.dcm")


@pytest.mark.parametrize("fault", [KeyError("x"), RecursionError(), MemoryError(), StopIteration(), AssertionError()])
def test_the_guard_turns_everything(fault):
    with pytest.raises(CTError, match="AC-CT-001"), guarded():
        raise fault


def test_the_guard_lets_our_errors_and_ctrl_c_pass():
    with pytest.raises(StructureSetError), guarded():
        raise StructureSetError("AC-RS-002")
    with pytest.raises(KeyboardInterrupt), guarded():
        raise KeyboardInterrupt


def test_a_fault_of_the_program_is_not_called_a_damaged_file():
    with pytest.raises(TypeError), guarded():
        exec("read_dataset(wrong=1)", {"__name__": "autocontour.somewhere", "read_dataset": read_dataset})
    with pytest.raises(AttributeError), guarded():
        CTError.no_such_attribute  # noqa: B018
    with pytest.raises(ImportError), guarded():
        import autocontour.no_such_module  # noqa: F401


def test_a_deflated_bomb_is_refused(slices, monkeypatch):
    monkeypatch.setattr("autocontour.dicom.read.INFLATED_LIMIT", 1 << 22)
    data = to_bytes(slices[0])
    syntax = b"1.2.840.10008.1.2.1.99"
    old = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"
    head = data[: data.index(b"\x08\x00\x05\x00")].replace(old, b"\x02\x00\x10\x00UI\x16\x00" + syntax)
    head = head[:140] + (int.from_bytes(head[140:144], "little") + 2).to_bytes(4, "little") + head[144:]
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(deflate.compress(bytes(1 << 24)) for _ in range(2)) + deflate.flush()
    with pytest.raises(CTError, match="AC-CT-001"):
        read_dataset(head + body)


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=150, deadline=None)
def test_random_bytes(noise, with_prefix):
    data = bytes(128) + b"DICM" + noise if with_prefix else noise
    with suppress(CTError), guarded():
        for element in read_dataset(data).iterall():
            str(element.value)
    with suppress(UnusualEncodingError):
        read_elements(BytesIO(data), _WANTED)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_fast_walk_sees_what_pydicom_sees(slices, data):
    """Attributes of any length, sequences of defined and undefined length in between."""
    dataset = slices[0]
    dataset.PatientComments = data.draw(st.text("ab c", max_size=3000))
    item = pydicom.Dataset()
    item.CodeMeaning = data.draw(st.text("xy", max_size=64))
    nested = pydicom.Dataset()
    nested.PurposeOfReferenceCodeSequence = [item]
    dataset.ReferencedImageSequence = [nested, item]
    undefined = data.draw(st.booleans())
    dataset["ReferencedImageSequence"].is_undefined_length = undefined
    nested.is_undefined_length_sequence_item = data.draw(st.booleans())
    nested["PurposeOfReferenceCodeSequence"].is_undefined_length = data.draw(st.booleans())
    implicit = data.draw(st.booleans())
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" + ("" if implicit else ".1")
    content = to_bytes(dataset)
    elements = read_elements(BytesIO(content), _WANTED)
    whole = pydicom.dcmread(BytesIO(content))
    for tag in (_WANTED & set(whole.keys())) - {0x00080005}:  # which pydicom converts at once
        assert elements.values[tag] == whole.get_item(tag).value
    assert content[elements.pixel_offset :][: elements.pixel_length] == whole.PixelData


def test_a_sample_of_mutated_files(tmp_path, slices):
    """The full count runs in benchmarks/fuzz_ct.py."""
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        slices[0].file_meta.TransferSyntaxUID = syntax
        slices[0].save_as(tmp_path / f"{syntax.keyword}.dcm", enforce_file_format=True)
    slices[1].compress(RLELossless)
    slices[1].save_as(tmp_path / "rle.dcm", enforce_file_format=True)
    command = [sys.executable, BENCHMARKS / "fuzz_ct.py", tmp_path, "--count", "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 mutated files, 0 errors not ours" in done.stdout
