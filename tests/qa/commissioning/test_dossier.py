"""Dossiers of studies with known figures: nothing is claimed without data, and the same input gives the same bytes."""

import hashlib
import json
import subprocess

import numpy as np
import pytest

from autocontour.base.errors import UsageError
from autocontour.cli import main
from autocontour.qa.commissioning.dossier.build import DossierRequest, build_content
from autocontour.qa.commissioning.dossier.pages import build_document
from autocontour.qa.commissioning.dossier.run import write_comparison, write_dossier
from autocontour.qa.commissioning.dossier.sources import is_method
from autocontour.qa.commissioning.gate import read_limits
from autocontour.qa.commissioning.study.analysis import Analysis
from autocontour.qa.commissioning.study.tolerances import read_tolerances
from autocontour.qa.commissioning.study.worst import picture_path
from autocontour.report.document import Document, NotDone, Paragraph, Section, Signatures, table, write_html
from autocontour.report.page import Figure
from autocontour.report.pdf import column_widths, marked, write_pdf

METRICS = ("hausdorff_mm", "mean_surface_distance_mm", "added_path_length_mm", "volume_difference_cc",
           "centroid_distance_mm")  # fmt: skip
SHARE = {"n": 9, "count": 4, "share": 4 / 9, "interval": {"low": 0.2, "high": 0.7}}
PARTS = {
    "selftest": {
        "format": "autocontour self test", "version": 1, "passed": False, "program": "0.1.0",
        "date": "2026-11-26 06:40 UTC", "computer": "Linux", "packages": ["net 1 abc"], "seconds": 300,
        "checks": [{"site": "thorax", "structure": "Heart", "expected_dsc": 0.9, "found_dsc": None, "tolerance": 0.01,
                    "passed": False}],
        "round_trips": [
            {"position": "HFS", "profile": name, "contours": 9, "largest_shift_mm": 0.0, "passed": True}
            for name in ("generic", "eclipse")
        ],
        "stress": [
            {"group": "position", "trial": "thorax FFS", "outcome": "held", "detail": ""},
            {"group": "values", "trial": "HU + 1000", "outcome": "refused", "detail": "AC-CT-043",
             "message": "Not Hounsfield units."},
            {"group": "values", "trial": "HU + 10", "outcome": "SILENT", "detail": "Heart DSC 0.10"},
        ],
    },
    "times": {
        "format": "autocontour time study", "idle_seconds": 30.0, "skipped": [],
        "rows": [{"kind": "corrected", "drawn_by": "net 1"}, {"kind": "manual", "drawn_by": ""}],
        "structures": [{
            "structure": "Heart", "saved": {"mean": 3.0, "interval": [2.0, 4.0]},
            "counts": {"unedited": 1, "replaced": 0},
            **{key: {"n": 9, "mean": 5.0, "sd": 1.0, "interval": None} for key in ("manual", "automatic", "paired")},
        }],
    },
    "routine": {
        "format": "autocontour routine QA", "status": "stable", "cases": 100, "first": "2026-01-01", "last": None,
        "structures": [{"structure": "Heart", "status": "stable", "identity": "net 1 abc", "alarms": [],
                        "changes": [], "baseline": {"n": 100, "wanted": 100, "dsc": {"mean": 0.95}}}],
    },
    "review": {
        "format": "autocontour blind review report", "items": {"manual": 9, "automatic": 9}, "seed": 1,
        "reviewers": [{"reviewer": "kim", "answered": 18, "tasks": 18, "last_hash": "f" * 64}],
        "proportions": [{"structure": "Heart", "source": "automatic", "reviewer": "kim", "n": 9,
                         **dict.fromkeys(("no", "minor", "major", "usable", "taken_for_human"), SHARE)}],
        "methods": [{"method": "net 1 ab", "structure": "Heart", "source": "automatic", "reviewer": "kim", "n": 9,
                     **dict.fromkeys(("no", "minor", "major", "usable", "taken_for_human"), SHARE)}],
        "origins": [], "agreement": [], "repeatability": [], "automation_bias": [], "form": {"pieces": 0.5},
        "left_out": [], "remarks": [], "drawn": [{"patient": "p0"}], "not_compared": [],
    },
}  # fmt: skip
STATEMENTS = """
clinic = "서울 병원 & <b>"
intended_use = "first draft"
decision = "accepted for head and neck"
exclusions = ["children"]
scanners = ["A"]
protocols = ["B"]
limits = ["none known"]
triggers = ["a new scanner"]
signatures = ["Physicist"]
[roles]
Review = "dosimetrist"
"""


def row(a, b, dsc, **values):
    missing = dsc == 0
    return {
        "structure": "Heart", "a": a, "b": b, "missing": missing, "identical": False, "dsc": dsc, "surface_dsc": dsc,
        "tau_mm": 3.0, "hd95_mm": None if missing else 10 * (1 - dsc), "volume_a_cc": 500.0, "volume_b_cc": 480.0,
        **dict.fromkeys(METRICS, 1.0), **values, "slices": [],
    }  # fmt: skip


def write_study(folder, *, loss=0.1, observers=(), methods=("net 1", "rules"), patients=10, missing=False, dose=False,
                key="p", scanner="A"):  # fmt: skip
    """Write a report as `autocontour commission` does, from figures instead of scans."""
    rng = np.random.default_rng(1)
    (folder / "patients").mkdir(parents=True)
    records = []
    for number in range(patients):
        skill = rng.uniform(0, 0.05)
        pairs = [("reference", one, 1 - loss * (k + 1) - skill) for k, one in enumerate(methods)]
        pairs += [("reference", one, 0.9 - skill) for one in observers]
        pairs += [(one, method, 0.85) for one in observers for method in methods]
        rows = [row(a, b, 0.0 if missing and number == 0 and b == methods[0] else dsc) for a, b, dsc in pairs]
        figures = {name: {"mean_gy": 20.0 + k} for k, name in enumerate(("reference", *methods))}
        records.append(
            {
                "fingerprint": hashlib.sha256(f"{number}".encode()).hexdigest(), "patient": f"{key}{number}",
                "ct_hash": f"ct{number}", "shape_zyx": [100 + number, 128, 128], "spacing_zyx_mm": [3.0, 1.0, 1.0],
                "evenly_spaced": True, "protocol": {"Manufacturer": scanner} if number else {}, "sets": {},
                "drawn": {"reference": ["Heart"]}, "without_reference": {}, "findings": {}, "seconds": {}, "kappa": {},
                "rows": rows, "left_out": [], "remarks": [], "dose": {"Heart": figures} if dose else {},
            }
        )  # fmt: skip
    analysis = Analysis(records, list(observers), list(methods), [], read_tolerances(), read_limits()).run()
    content = {
        "format": "autocontour commissioning", "version": 1, "program": "0.1.0",
        "settings": {"methods": {name: f"{name} abc" for name in methods}, "reference": "x", "tolerances": "y"},
        "patients": [{k: v for k, v in one.items() if k not in ("rows", "dose")} for one in records],
        "waiting_names": int(missing), "left_out": [], "remarks": [], **analysis,
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(content))
    for record in records:
        (folder / "patients" / f"{record['patient']}.json").write_text(json.dumps(record))
    picture = Figure(small_png(), "").png
    for record in records[1:]:
        picture_path(folder, record, "Heart", methods[0]).write_bytes(picture)
    return folder


def small_png():
    import io

    from matplotlib.figure import Figure as Plot

    file = io.BytesIO()
    Plot(figsize=(1, 1), dpi=20).savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def write_parts(folder):
    paths = {}
    for name, content in PARTS.items():
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(content))
    paths["statements"] = folder / "clinic.toml"
    paths["statements"].write_text(STATEMENTS)
    return paths


def texts_of(document):
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Paragraph | NotDone):
                yield section.title, type(block).__name__, block.text


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("bare") / "report", methods=("net 1",))


def test_without_data_a_part_states_that_it_was_not_done(bare):
    content, pictures = build_content(DossierRequest(bare))
    missing = {title for title, kind, _ in texts_of(build_document(content, pictures)) if kind == "NotDone"}
    assert missing == {
        "Identity", "Intended use, exclusions and refusals", "Scanners, protocols and patients",
        "End-to-end test", "Results per organ", "Observers", "Blind review", "Effect on the dose", "Edit time",
        "Routine QA", "Model card", "Roles, limits, and when to do it again", "Decision",
    }  # fmt: skip


def test_the_figures_are_those_of_the_study(bare):
    content, _ = build_content(DossierRequest(bare))
    study = json.loads((bare / "report.json").read_text())
    assert content["study"]["results"] == study["results"]
    assert content["files"]["study"] == hashlib.sha256((bare / "report.json").read_bytes()).hexdigest()
    worst = [one["caption"].partition(":")[0].split()[-1] for one in content["worst"]]
    values = {patient: figures["dsc"] for patient, figures in content["cases"]["Heart"].items()}
    assert worst == sorted(values, key=values.get)[:3]
    assert content["protocols"]["values"] == {"Manufacturer": {"A": 9, "not stated": 1}}
    assert content["protocols"]["shape_zyx"][0] == [100, 109]


def test_every_part_is_shown(tmp_path):
    study = write_study(tmp_path / "report", observers=("second",), missing=True, dose=True)
    request = DossierRequest(study, date="26 November 2026", **write_parts(tmp_path))
    content, pictures = build_content(request)
    document = build_document(content, pictures)
    left = {(title, text) for title, kind, text in texts_of(document) if kind == "NotDone"}
    assert {title for title, _ in left} == {"Identity", "Results per organ", "Model card",
                                            "Failures and what was left out"}  # fmt: skip
    write_html(tmp_path / "d.html", document)
    page = (tmp_path / "d.html").read_text()
    for text in (
        "26 November 2026",
        "서울 병원 &amp; &lt;b&gt;",
        "FAILED",
        "HU + 10",
        "children",
        "p0",
        "Dmean, Gy",
        "4/9",
        "2026-11-26 06:40 UTC",
        "HD95 in mm",
        "Reference contours",
    ):
        assert text in page, text
    assert "data:image/png" in page
    assert "<script" not in page


def test_a_self_test_of_another_program_or_package_is_stated(tmp_path):
    """A record of an older installation proves nothing about that of the study."""
    study = write_study(tmp_path / "report")
    record = tmp_path / "selftest.json"
    record.write_text(json.dumps(PARTS["selftest"] | {"program": "0.0.9", "stress": [], "round_trips": []}))
    content, pictures = build_content(DossierRequest(study, selftest=record))
    content["package"] = {"name": "net", "checksum": "xyz", "structures": [], "version": "1", "stages": {},
                          "training": {}, "training_patients_listed": 0}  # fmt: skip
    texts = [text for title, _, text in texts_of(build_document(content, pictures)) if title == "End-to-end test"]
    assert any("is of autocontour 0.0.9, the study of 0.1.0" in text for text in texts)
    assert any("package of this dossier is not among those" in text for text in texts)
    record.write_text(json.dumps({"passed": True, "checks": []}))
    with pytest.raises(UsageError, match="AC-QA-333"):
        build_content(DossierRequest(study, selftest=record))


def test_parts_of_another_method_or_version_are_stated(tmp_path):
    """Routine QA, times or a review of another package would be read as those of the dossier's."""
    study = write_study(tmp_path / "report")
    parts = json.loads(json.dumps(PARTS))
    parts["routine"]["structures"][0]["identity"] = "net 1 fff"
    parts["times"]["rows"][0]["drawn_by"] = "net 2"
    parts["review"]["methods"][0]["method"] = ""
    parts["review"]["program"] = "0.0.9"
    for name in ("routine", "times", "review"):
        (tmp_path / f"{name}.json").write_text(json.dumps(parts[name]))
    files = {name: tmp_path / f"{name}.json" for name in ("routine", "times", "review")}
    document = build_document(*build_content(DossierRequest(study, **files)))
    found = [text for _, kind, text in texts_of(document) if kind == "NotDone"]
    assert "Routine QA has contours of methods other than this one: net 1 fff." in found
    assert "The time study has contours of methods other than this one: net 2." in found
    assert "The blind review is of autocontour 0.0.9, the study of 0.1.0." in found
    assert any(text.startswith("The blind review does not state which method") for text in found)
    parts["review"]["methods"].append({**parts["review"]["methods"][0], "method": "net 1 abc"})
    (tmp_path / "review.json").write_text(json.dumps(parts["review"]))
    document = build_document(*build_content(DossierRequest(study, review=tmp_path / "review.json")))
    found = [text for _, kind, text in texts_of(document) if kind == "NotDone"]
    assert "The blind review has automatic contours of which the method is not stated." in found


@pytest.mark.parametrize(
    ("stated", "method", "identity", "expected"),
    [
        ("autocontour rules 1.2", "rules", "rules 1.2", True),
        ("autocontour rules 1.1", "rules", "rules 1.2", False),
        ("autocontour rules 1.2", "neck 1", "neck 1 abc", False),
        ("autocontour rules 1.2", "autocontour", "program 1.2, neck 1 abc", True),
        ("neck 1 ab", "autocontour", "program 1.2, neck 1 abc", True),
        ("neck 1", "autocontour", "program 1.2, neck 1 abc", True),
        ("neck 1 ff", "autocontour", "program 1.2, neck 1 abc", False),
        ("other", "neck 1", "neck 1 abc", False),
    ],
)
def test_an_algorithm_is_recognized_by_name_version_and_checksum(stated, method, identity, expected):
    assert is_method(stated, method, identity) is expected


def test_doses_that_were_not_used_are_not_called_missing(tmp_path):
    study = write_study(tmp_path / "report")
    report = json.loads((study / "report.json").read_text())
    unused = {"patient": "", "subject": "dose", "structure": "", "severity": "WARN", "code": "AC-QA-082",
              "message": "x"}  # fmt: skip
    report["left_out"].append(unused)
    (study / "report.json").write_text(json.dumps(report))
    document = build_document(*build_content(DossierRequest(study)))
    (text,) = [text for title, _, text in texts_of(document) if title == "Effect on the dose"]
    assert text == "1 dose distributions (RTDOSE) of the cohort were not used. AC-QA-082: x"


def test_the_same_input_gives_the_same_bytes(tmp_path, capsys):
    study = write_study(tmp_path / "report")
    parts = [f"--{name}={path}" for name, path in write_parts(tmp_path).items()]
    for name in ("one", "two"):
        assert main(["dossier", str(study), "-o", str(tmp_path / name), *parts]) == 0
    assert "Wrote" in capsys.readouterr().out
    for ending in ("html", "pdf", "json", "csv"):
        assert (tmp_path / "one" / f"dossier.{ending}").read_bytes() == (
            tmp_path / "two" / f"dossier.{ending}"
        ).read_bytes()
    assert (tmp_path / "one" / "dossier.pdf").read_bytes().startswith(b"%PDF")
    rows = (tmp_path / "one" / "dossier.csv").read_text().splitlines()
    assert rows[0] == "section,table,row,column,value"
    assert any("DSC mean" in line for line in rows)


def test_two_dossiers_of_the_same_patients_are_compared_in_pairs_whatever_their_names(tmp_path, capsys):
    for name, loss, scanner in (("a", 0.1, "A"), ("b", 0.12, "B")):
        study = write_study(tmp_path / name, loss=loss, key=name, scanner=scanner)
        write_dossier(DossierRequest(study), tmp_path / f"dossier-{name}")
    places = [str(tmp_path / f"dossier-{name}") for name in ("a", "b")]
    assert main(["dossier", "--compare", *places, "-o", str(tmp_path / "out"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (heart,) = content["structures"]
    assert (heart["paired"], heart["test"]) == (10, "Wilcoxon signed-rank, same patients")
    assert heart["difference"] == pytest.approx(-0.02)
    assert heart["differs"]
    assert content["protocols"] == [{"attribute": "Manufacturer", "first": "A, not stated", "second": "B, not stated"}]
    assert (tmp_path / "out" / "comparison.pdf").exists()


def test_dossiers_of_different_patients_are_compared_as_groups(tmp_path):
    for name, count in (("a", 10), ("b", 12)):
        study = write_study(tmp_path / name, patients=count)
        content = write_dossier(DossierRequest(study), tmp_path / f"d{name}")
    for patient in content["cases"]["Heart"].values():
        patient["ct_hash"] += "other"
    from autocontour.qa.commissioning.dossier.build import id_of

    content["id"] = id_of({key: value for key, value in content.items() if key != "id"})
    (tmp_path / "db" / "dossier.json").write_text(json.dumps(content))
    (heart,) = write_comparison(tmp_path / "da", tmp_path / "db" / "dossier.json", tmp_path / "out")["structures"]
    assert (heart["paired"], heart["test"], heart["n"]) == (0, "Mann–Whitney, different patients", [10, 12])
    assert "may differ in difficulty" in (tmp_path / "out" / "comparison.html").read_text()


def write_changed(content, folder, change):
    """Write another dossier with a sound id."""
    from autocontour.qa.commissioning.dossier.build import id_of

    content = json.loads(json.dumps(content))
    change(content)
    content["id"] = id_of({key: value for key, value in content.items() if key != "id"})
    folder.mkdir()
    (folder / "dossier.json").write_text(json.dumps(content))
    return folder


def test_a_comparison_states_what_was_measured_in_another_way(tmp_path):
    """Silent fault: other references, tolerances and versions of the program looked like a change of the method."""
    content = write_dossier(DossierRequest(write_study(tmp_path / "a")), tmp_path / "da")

    def change(other):
        other["study"]["program"] = "0.2.0"
        other["study"]["settings"]["tolerances"] = "clinic.toml"
        other["study"]["results"][0] |= {"tau_mm": 2.0, "where_drawn": True}
        other["patients"][0]["sets"] = {"reference": "another file"}

    place = write_changed(content, tmp_path / "db", change)
    found = write_comparison(tmp_path / "da", place, tmp_path / "out")
    assert found["common_patients"] == {"n": 10, "other_reference": 1}
    differing = {one["item"]: (one["first"], one["second"]) for one in found["conditions"]}
    assert differing["program of the study"] == ("0.1.0", "0.2.0")
    assert differing["file of tolerances"] == ("y", "clinic.toml")
    assert differing["Heart: tau"][1].startswith("2 mm, only from the first")
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "1 of them have another file of reference contours" in page
    assert "not measured in the same way" in page
    same = write_comparison(tmp_path / "da", tmp_path / "da", tmp_path / "same")
    assert (same["conditions"], same["common_patients"]["other_reference"]) == ([], 0)


@pytest.mark.parametrize(
    ("common", "test"), [(1, "too few patients in both"), (4, "Wilcoxon signed-rank, same patients")]
)
def test_few_common_patients_are_no_different_patients_and_show_no_difference(tmp_path, common, test):
    """One patient in both was tested as if it were two; of four, no result could be significant."""
    content = write_dossier(DossierRequest(write_study(tmp_path / "a", patients=4)), tmp_path / "da")

    def change(other):
        for number, one in enumerate(other["cases"]["Heart"].values()):
            one["dsc"] -= 0.1
            one["ct_hash"] += "" if number < common else " other"

    place = write_changed(content, tmp_path / "db", change)
    (heart,) = write_comparison(tmp_path / "da", place, tmp_path / "out")["structures"]
    assert (heart["paired"], heart["test"], heart["can_differ"]) == (common, test, common == 1)
    assert (heart["p"] is None) == (common == 1)
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert ("<td>too few patients</td>" in page) == (common == 4)


def test_remarks_about_observers_and_tolerances_are_in_the_dossier(tmp_path):
    """Only those about the method and the reference were: a copied set of an observer was not stated."""
    folder = write_study(tmp_path / "a", observers=("second",))
    content = json.loads((folder / "report.json").read_text())
    content["remarks"] = [
        {"patient": "p0", "subject": subject, "structure": "", "severity": "WARN", "code": "AC-QA-069", "message": "x"}
        for subject in ("second", "tolerances", "net 1", "rules", "reference", "CT")
    ]
    (folder / "report.json").write_text(json.dumps(content))
    found = write_dossier(DossierRequest(folder), tmp_path / "d")["study"]["remarks"]
    assert [one["subject"] for one in found] == ["second", "tolerances", "net 1", "reference", "CT"]


def test_an_infinite_median_distance_is_not_shown_as_missing(tmp_path):
    content = write_dossier(DossierRequest(write_study(tmp_path / "a")), tmp_path / "da")

    def change(other):
        for one in other["cases"]["Heart"].values():
            one |= {"dsc": 0.0, "hd95_mm": None, "missing": True}

    place = write_changed(content, tmp_path / "db", change)
    (heart,) = write_comparison(tmp_path / "da", place, tmp_path / "out")["structures"]
    assert heart["median_hd95_mm"][1] == "infinity"
    assert "→ ∞" in (tmp_path / "out" / "comparison.html").read_text()


def test_a_dossier_of_another_version_of_the_format_is_refused(tmp_path):
    content = write_dossier(DossierRequest(write_study(tmp_path / "a")), tmp_path / "da")
    place = write_changed(content, tmp_path / "db", lambda other: other.update(version=2))
    with pytest.raises(UsageError, match="AC-QA-334"):
        write_comparison(tmp_path / "da", place, tmp_path / "out")


def test_a_dossier_that_was_changed_is_not_compared(tmp_path, bare):
    write_dossier(DossierRequest(bare), tmp_path / "d")
    place = tmp_path / "d" / "dossier.json"
    place.write_text(place.read_text().replace('"patients": 10', '"patients": 20'))
    for wrong in (place, bare / "report.json", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="AC-QA-334"):
            write_comparison(wrong, wrong, tmp_path / "out")


def test_files_of_something_else_are_refused(tmp_path, bare):
    parts = write_parts(tmp_path)
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    toml = tmp_path / "wrong.toml"
    toml.write_text("clinic = 1\n")
    for request, code in (
        (DossierRequest(tmp_path), "AC-QA-331"),
        (DossierRequest(bare, selftest=wrong), "AC-QA-331"),
        (DossierRequest(bare, times=parts["routine"]), "AC-QA-333"),
        (DossierRequest(bare, method="unknown"), "AC-QA-332"),
        (DossierRequest(bare, statements=toml), "AC-QA-330"),
        (DossierRequest(bare, statements=tmp_path / "none.toml"), "AC-QA-330"),
    ):
        with pytest.raises(UsageError, match=code):
            build_content(request)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("")
    with pytest.raises(UsageError, match="AC-QA-073"):
        write_dossier(DossierRequest(bare), tmp_path / "out")
    assert main(["dossier", "-o", str(tmp_path / "x")]) == 2


def test_a_record_of_another_run_is_refused(tmp_path):
    study = write_study(tmp_path / "report")
    path = study / "patients" / "p0.json"
    path.write_text(path.read_text().replace(hashlib.sha256(b"0").hexdigest(), "0" * 64))
    with pytest.raises(UsageError, match="AC-QA-331"):
        build_content(DossierRequest(study))


def test_the_card_of_an_installed_package(tmp_path):
    from autocontour.models import find_package

    package = find_package("head-and-neck")
    name = f"{package.name} {package.version}"
    study = write_study(tmp_path / "report", methods=(name,))
    report = json.loads((study / "report.json").read_text())
    report["settings"]["methods"][name] = f"{name} {package.checksum}"
    (study / "report.json").write_text(json.dumps(report))
    content, pictures = build_content(DossierRequest(study, method="head-and-neck"))
    document = build_document(content, pictures)
    card = next(section for section in document.sections if section.title == "Model card")
    titles = [block.title for block in card.blocks if hasattr(block, "title")]
    assert titles == ["Metadata", "Basics", "Technical", "Training", "Evaluation", "Use and monitoring"]
    cells = {row.cells for block in card.blocks if hasattr(block, "rows") for row in block.rows}
    assert ("CTs listed by fingerprint", "150") in cells
    assert ("Sex, age, scanners of the patients", "not stated") in cells


def test_text_of_the_pdf(tmp_path):
    blocks = (Paragraph("±∞ 한글 <b>"), NotDone("x"), Figure(small_png(), "c"), Signatures(("Physicist",)),
              table("T", "a,b", [("word", "x" * 64)] * 3))  # fmt: skip
    document = Document("Title", "foot", (Section("One", blocks), Section("Two", (table("", "a", [("b",)]),))))
    write_pdf(tmp_path / "d.pdf", document)
    try:
        text = subprocess.run(["pdftotext", tmp_path / "d.pdf", "-"], capture_output=True, check=True, text=True).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    for word in ("1. One", "2. Two", "Not done.", "±∞ 한글 <b>", "Physicist: name, signature, date", "page 1"):
        assert word in text


def test_marked_text_is_escaped():
    assert marked("a < b & c") == "a &lt; b &amp; c"
    assert "font" in marked("가")
    assert "\x07" not in marked("bell\x07")


@pytest.mark.parametrize("heads", ["a", "a,b", ",".join("abcdefghijklmnopqrst")])
def test_columns_share_the_width(heads):
    from autocontour.report import pdf

    pdf._register_fonts()
    one = table("", heads, [["some words"] * len(heads.split(","))])
    assert sum(column_widths(one, 400)) == pytest.approx(400)
