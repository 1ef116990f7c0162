"""A commissioning study: find the patients, contour and compare each, and write the report."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from autocontour import __version__
from autocontour.archive.find import Archive, as_finding, find_archive
from autocontour.archive.key import open_key
from autocontour.archive.names import NameMap
from autocontour.archive.private import keep_sources, map_names
from autocontour.base.errors import AutoContourError, Cancelled, CaseError, OutputError, UsageError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.base.limits import shown
from autocontour.case.lock import CaseLock
from autocontour.qa.commissioning.gate import read_limits
from autocontour.qa.commissioning.study.analysis import Analysis
from autocontour.qa.commissioning.study.atlas import AtlasMethod, read_atlas
from autocontour.qa.commissioning.study.cohort import LeftOut, StudyPatient, find_patients, name_doses
from autocontour.qa.commissioning.study.compare import CONSENSUS
from autocontour.qa.commissioning.study.methods import Method, read_methods
from autocontour.qa.commissioning.study.patient import PATIENTS, Settings, measure_patient, read_record
from autocontour.qa.commissioning.study.request import ATLAS, REFERENCE, StudyRequest
from autocontour.qa.commissioning.study.tolerances import Tolerances, read_tolerances
from autocontour.qa.intervals import CONFIDENCE, LEAST_FOR_INTERVAL, RESAMPLES, SEED

REPORT, PAGE = "report.json", "report.html"
TABLES = ("results.csv", "statistics.csv", "slices.csv", "left-out.csv")
KNOWN = frozenset({REPORT, PAGE, PATIENTS, *TABLES})


@dataclass(frozen=True, eq=False)
class StudyReport:
    """The result of a study.

    Attributes
    ----------
    content
        Of ``report.json``.
    records
        Of the patients.
    reused
        Patients whose record was taken over from an earlier run.
    """

    content: dict[str, Any]
    records: list[dict[str, Any]]
    reused: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out, and every name is confirmed."""
        return not self.content["left_out"] and not self.content["waiting_names"]


def run_study(request: StudyRequest, job: Job) -> StudyReport:
    """Run a study, or continue one that was stopped, and write its report.

    Records of patients whose CT, sets, names, tolerances and methods have not changed are kept.

    Raises
    ------
    UsageError
        ``AC-QA-070`` to ``-075``.
    CTError
        If the cohort has no DICOM file.
    ModelError
        If a package cannot be used.
    OutputError
        If the disk is full.
    """
    _check_output(request)
    _check_names(request)
    request.private.mkdir(parents=True, exist_ok=True)
    request.private.chmod(0o700)
    (request.output / PATIENTS).mkdir(parents=True, exist_ok=True)
    try:
        lock = CaseLock(request.private)
    except CaseError as error:
        raise UsageError("AC-QA-075") from error
    try:
        return _Study(request, job).run()
    finally:
        lock.release()


def _check_output(request: StudyRequest) -> None:
    output = request.output.absolute()
    foreign = output.exists() and (not output.is_dir() or foreign_names(output, KNOWN))
    if foreign or output.resolve().is_relative_to(request.cohort.resolve()):
        raise UsageError("AC-QA-073", folder=shown_path(output))


def _check_names(request: StudyRequest) -> None:
    """Refuse names that stand for two sets."""
    names = [REFERENCE, CONSENSUS, *(role.name for role in (*request.observers, *request.others))]
    for name, count in Counter(names).items():
        if count > 1 or not name.strip():
            raise UsageError("AC-QA-074", name=name)


class _Study:
    """One run; see `run_study`."""

    def __init__(self, request: StudyRequest, job: Job) -> None:
        self.request, self.job = request, job
        self.left_out: list[LeftOut] = []
        self.reused = 0

    def run(self) -> StudyReport:
        request = self.request
        tolerances = read_tolerances(request.tolerances)
        methods: list[Method | AtlasMethod] = [*read_methods(request)]
        others = [role.name for role in request.others]
        reserved = [ATLAS] if request.atlas is not None else []
        names = [*(method.name for method in methods), *others]
        stated = [REFERENCE, CONSENSUS, *reserved, *names, *request.observer_names]
        if len(set(stated)) < len(stated):
            raise UsageError("AC-QA-074", name=", ".join(names))
        key = open_key(request.key_file, "")
        archive = find_archive(request.cohort, key, self.job)
        settings = Settings(request, map_names(request.names_file, archive), tolerances, methods)
        patients, self.left_out = find_patients(archive, request, key)
        if request.atlas is not None:
            atlas, unusable = read_atlas(request, archive, settings.names, key, self.job)
            methods.append(atlas)
            names.append(atlas.name)
            self.left_out += unusable
        records = self._measure_all(patients, settings)
        keep_sources(request.private, archive, archive.excluded, name_doses(archive, key))
        waiting = _waiting(archive, settings.names)
        limits = read_limits()
        analysis = Analysis(records, request.observer_names, names, others, tolerances, limits).run()
        content = {
            "format": "autocontour commissioning",
            "version": 1,
            "program": __version__,
            "settings": {
                "reference": request.reference or "the only structure set",
                "observers": {role.name: role.pattern for role in request.observers},
                "others": {role.name: role.pattern for role in request.others},
                "methods": {method.name: method.identity for method in methods},
                "tolerances": request.tolerances.name if request.tolerances else "of the program",
                "structures": list(request.structures),
                "with_dangling": request.with_dangling,
                "confidence": CONFIDENCE,
                "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "least_patients": LEAST_FOR_INTERVAL},
            },
            "patients": [
                {key: value for key, value in record.items() if key not in ("rows", "left_out", "remarks", "dose")}
                for record in records
            ],
            "waiting_names": len(waiting),
            "without_fingerprints": sorted({one for method in methods for one in method.without_fingerprints}),
            "left_out": [*(one.to_json() for one in self.left_out), *_all(records, "left_out")],
            "remarks": [*_check_tolerances(tolerances, records), *_all(records, "remarks")],
            **analysis,
        }
        report = StudyReport(content, records, self.reused)
        self._write(report, patients)
        if not records:
            excluded, place = len(content["left_out"]), shown_path(request.names_file)
            if not waiting:
                raise UsageError("AC-QA-093", excluded=excluded, report=PAGE)
            raise UsageError("AC-QA-072", excluded=excluded, report=PAGE, waiting=len(waiting), names=place)
        return report

    def _measure_all(self, patients: list[StudyPatient], settings: Settings) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        first: dict[str, str] = {}
        for patient in self.job.track(patients, "contouring and comparing"):
            path = self.request.output / PATIENTS / f"{patient.name}.json"
            known = read_record(path, settings.fingerprint(patient)) is not None
            try:
                record = measure_patient(patient, settings, self.request.output, self.left_out, self.job)
            except (Cancelled, OutputError):
                raise
            except AutoContourError as error:
                self.left_out.append(LeftOut(patient.name, "", as_finding(error)))
                continue
            other = first.setdefault(record["ct_hash"], patient.name)
            if other != patient.name:
                self.left_out.append(LeftOut(patient.name, "", Finding.of("AC-QA-064", other=other)))
                continue
            self.reused += known
            records.append(record)
        return sorted(records, key=lambda record: str(record["patient"]))

    def _write(self, report: StudyReport, patients: list[StudyPatient]) -> None:
        from autocontour.qa.commissioning.study.report import write_report

        output = self.request.output
        write_atomically(output / REPORT, json.dumps(report.content, indent=1).encode())
        write_report(report, {one.name: one.series for one in patients}, self.request, self.job)
        kept = {record["patient"] for record in report.records}
        for path in (output / PATIENTS).iterdir():
            if path.name.partition(".")[0] not in kept:
                path.unlink()


def _all(records: list[dict[str, Any]], key: str) -> list[Any]:
    return [entry for record in records for entry in record[key]]


def _check_tolerances(tolerances: Tolerances, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a remark about tolerances whose names fit no structure, because of a typing error for example."""
    names = tolerances.unknown({row["structure"] for record in records for row in record["rows"]})
    if not names:
        return []
    return [LeftOut("", "tolerances", Finding.of("AC-QA-088", names=", ".join(map(shown, names)))).to_json()]


def _waiting(archive: Archive, names: NameMap) -> list[str]:
    return sorted({name.strip() for name in archive.roi_names if names.is_waiting(name)})
