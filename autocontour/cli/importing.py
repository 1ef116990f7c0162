"""``autocontour models import`` and ``verify --ct``: published models taken in, and tested on a CT of the user's."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autocontour.base.findings import Finding
    from autocontour.base.jobs import Job
    from autocontour.models import ModelPackage
    from autocontour.models.package.importers.writing import Imported
    from autocontour.patient.structures import Contours
    from autocontour.patient.volume import CTVolume

PROFILES = ("exact", "fast", "two-stage")


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``import`` to the actions of ``models``."""
    parser = actions.add_parser("import", help="make a package of a published model; nothing of it is executed")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    nnunet = kinds.add_parser("nnunet", help="a model trained by nnU-Net v2")
    nnunet.add_argument("source", type=Path, help="folder Trainer__Plans__configuration, or a zip with one in it")
    nnunet.add_argument("--fold", nargs="+", default=[], metavar="FOLD", help="networks to average (default: all)")
    nnunet.add_argument("--orientation", choices=("LPS", "RAS"), default="", help="of the training images")
    nnunet.add_argument("--step", type=float, default=0.5, help="step of the windows (default: 0.5, as nnU-Net)")
    _add_common(nnunet)
    nnunet.set_defaults(run=_import_nnunet)
    monai = kinds.add_parser("monai", help="a MONAI bundle of a SegResNet or a UNet")
    monai.add_argument("source", type=Path, metavar="BUNDLE", help="its folder")
    _add_common(monai)
    monai.set_defaults(run=_import_monai)
    total = kinds.add_parser("totalsegmentator", help="the models that TotalSegmentator's own program downloaded")
    total.add_argument("source", type=Path, nargs="?", help="folder of its models (default: where it keeps them)")
    total.add_argument("--task", nargs="+", type=int, default=[], metavar="ID", help="only these, such as 291 292")
    total.add_argument(
        "--non-commercial", action="store_true", help="also models that are free for non-commercial use only"
    )
    total.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for one package each")
    total.add_argument("--json", action="store_true", help="print JSON for scripts")
    _add_test(total)
    total.set_defaults(run=_import_totalsegmentator, name="", license="", license_file=None)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACKAGE", help="the folder to write")
    parser.add_argument("--names", type=Path, metavar="MAP.toml", help='structure names: label = "TG-263 name"')
    parser.add_argument("--name", default="", help="the package's name")
    parser.add_argument("--license", default="", help="the model's licence, if its files do not state it")
    parser.add_argument("--license-file", type=Path, help="text of the licence")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    _add_test(parser)


def _add_test(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a test on a CT."""
    parser.add_argument("--ct", type=Path, metavar="FOLDER", help="test that left is left on this CT")
    parser.add_argument("--series", metavar="UID", help="the CT series where the folder holds several")
    parser.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="use the CT despite these findings")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the networks")
    midline = parser.add_argument_group("for a model of midline structures only, which the anatomy cannot test")
    midline.add_argument("--reference", type=Path, metavar="RTSTRUCT", help="compare with this structure set of the CT")
    midline.add_argument("--against", default="", metavar="PACKAGE", help="compare with what this package draws")
    midline.add_argument("--picture", type=Path, metavar="FILE.png", help="write a picture of what was drawn")
    midline.add_argument(
        "--confirmed-by", default="", metavar="NAME", help="who looked at the picture and confirms the orientation"
    )


def add_test_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``verify`` that test a published package on a CT."""
    _add_test(parser)
    parser.add_argument(
        "--profile", nargs="+", choices=PROFILES, default=[], help="compare these with exact and record the result"
    )
    parser.add_argument("--use", choices=PROFILES, default="", help="run the package with this profile from now on")


def _import_nnunet(args: argparse.Namespace) -> int:
    from autocontour.models.package.importers.names import Names, read_names
    from autocontour.models.package.importers.nnunet import import_nnunet
    from autocontour.models.package.importers.totalsegmentator import check_other

    _check_output(args.output)
    _check_step(args.step)
    names = read_names(args.names) if args.names else Names()
    imported = import_nnunet(args.source, orientation=args.orientation, folds=args.fold, names=names, step=args.step)
    check_other(imported)
    return _finish(imported, args)


def _import_monai(args: argparse.Namespace) -> int:
    from autocontour.models.package.importers.monai_bundle import import_monai
    from autocontour.models.package.importers.names import Names, read_names

    _check_output(args.output)
    return _finish(import_monai(args.source, read_names(args.names) if args.names else Names()), args)


def _import_totalsegmentator(args: argparse.Namespace) -> int:
    """Import every model of TotalSegmentator that is asked for and can be run; the others are listed."""
    from autocontour.base.errors import ModelError
    from autocontour.cli.console import console
    from autocontour.models.package.importers.totalsegmentator import default_folder, find_tasks, import_task

    found = find_tasks(args.source or default_folder())
    chosen = [one for one in found if (one.task.id in args.task if args.task and one.task else not args.task)]
    wanted = [one for one in chosen if one.can_be_run or args.task]
    for one in found:
        if one not in wanted and not args.json:
            console().print(f"not imported: {one.folder.parent.name}", markup=False)
    limited = [one.task.name for one in wanted if one.task and one.task.non_commercial]
    if limited and not args.non_commercial and not _agrees(limited, args):
        raise ModelError("AC-MD-052", tasks=", ".join(limited))
    if not wanted:
        raise ModelError("AC-MD-053", folder=str(args.source or default_folder()))
    folder = args.output
    for one in wanted:
        imported = import_task(one)
        args.output = folder / imported.name
        _check_output(args.output)
        _finish(imported, args)
    return 0


def _agrees(tasks: Sequence[str], args: argparse.Namespace) -> bool:
    """Ask whether models for non-commercial use only are wanted; where nobody can answer, they are not."""
    import sys

    if args.json or not sys.stdin.isatty():
        return False
    from rich.prompt import Confirm

    from autocontour.cli.console import plain

    listed = plain(", ".join(tasks))
    return Confirm.ask(f"Free for non-commercial use only: {listed}. Is your use non-commercial?", default=False)


def _check_step(step: float) -> None:
    """Refuse a step that no windows can have, also NaN, before the model is read."""
    from autocontour.base.errors import UsageError

    if not 0.05 <= step <= 1:
        raise UsageError("AC-US-068", option="--step", value=f"{step:g}", allowed="0.05–1")


def _read_license(path: Path) -> str:
    from autocontour.base.errors import UsageError
    from autocontour.base.files import shown_path

    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("AC-US-003", file=shown_path(path), reason="not a text in UTF-8") from error


def _check_output(folder: Path) -> None:
    from autocontour.base.errors import OutputError
    from autocontour.base.files import shown_path

    if folder.exists():
        raise OutputError("AC-OUT-002", file=shown_path(folder))


def _finish(imported: Imported, args: argparse.Namespace) -> int:
    """Write the package; where a CT is given, only if left is left on it."""
    import tempfile

    from autocontour.cli.console import progress_job
    from autocontour.models.package.importers.writing import write_imported
    from autocontour.models.package.package import replace_folder

    text = _read_license(args.license_file) if args.license_file else ""
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=args.output.parent) as drafts:
        draft = Path(drafts) / "package"
        package, findings = write_imported(
            imported, draft, name=args.name, license_name=args.license, license_text=text
        )
        if args.ct:
            with progress_job(quiet=args.json) as job:
                package = test_on_ct(package, args, job)
        replace_folder(draft, args.output)
    _report(package, args.output, findings, as_json=args.json)
    return 0


def _report(package: ModelPackage, folder: Path, findings: Sequence[Finding], *, as_json: bool) -> None:
    from autocontour.cli.console import console, print_json

    checked = package.sides is not None
    if as_json:
        rows = [finding.to_json() for finding in findings]
        shown = {"package": package.name, "path": str(folder), "sides_checked": checked, "findings": rows}
        print_json(shown | {"license": package.license, "structures": list(package.structures)})
        return
    out = console()
    count = len(package.structures)
    out.print(f"{package.name} {package.version}: {count} structures, {package.license}", markup=False)
    labels = package.procedure.labels if package.procedure else {}
    if renamed := [f"{own} → {name}" for name, own in labels.items() if own != name]:
        out.print(f"names: {', '.join(renamed)}", markup=False, soft_wrap=True)
    for finding in findings:
        out.print(f"{finding.code}  {finding.message} {finding.remedy}", markup=False, soft_wrap=True)
    following = f"models install {folder}" if checked else f"models verify {folder} --ct FOLDER"
    out.print(f"Next: autocontour {following}", markup=False, soft_wrap=True)


def verify_on_ct(args: argparse.Namespace) -> int:
    """Test published packages on a CT: sides, and the profiles asked for."""
    from autocontour.cli.console import print_json, progress_job
    from autocontour.models import find_package

    results: dict[str, Any] = {}
    for name in args.package:
        with progress_job(quiet=args.json) as job:
            package = test_on_ct(find_package(name), args, job)
        results[name] = package.metadata["procedure"]
    if args.json:
        keys = ("sides", "measured", "profile")
        print_json({name: {key: one.get(key) for key in keys} for name, one in results.items()})
    else:
        _show_tests(results)
    return 0


def _show_tests(results: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain

    for name, procedure in results.items():
        out = console()
        sides = procedure.get("sides") or {}
        passed, method = "; ".join(sides.get("structures", [])), sides.get("method", "anatomy")
        by = {"reference": f", compared with {sides.get('reference')}", "person": f", confirmed by {sides.get('by')}"}
        out.print(f"{name}: left is left ({passed}){by.get(method, '')}", markup=False, soft_wrap=True)
        if not procedure.get("measured"):
            continue
        table = Table("profile", "seconds", "lowest DSC with exact", "mean")
        for profile, one in procedure["measured"].items():
            dsc = one["dsc"]
            lowest = min(dsc, key=dsc.__getitem__) if dsc else ""
            mean = f"{sum(dsc.values()) / len(dsc):.4f}" if dsc else ""
            worst = f"{dsc[lowest]:.4f} ({plain(lowest)})" if dsc else ""
            table.add_row(profile, f"{one['seconds']:.0f}", worst, mean)
        out.print(table)


def test_on_ct(package: ModelPackage, args: argparse.Namespace, job: Job) -> ModelPackage:
    """Test a package on the CT of the arguments and return it with the results.

    Raises
    ------
    ModelError
        ``AC-MD-081``, ``AC-MD-082`` or ``AC-MD-088`` if the test of left and right fails, ``AC-MD-087`` for a package
        that is not a published model or is not a folder of the user's, ``AC-MD-089`` for a reference without its
        structures, ``AC-MD-090`` for a confirmation without a picture.
    """
    from autocontour.base.errors import ModelError
    from autocontour.base.files import write_atomically
    from autocontour.cli.inputs import read_chosen_ct
    from autocontour.models.inference.published.profiles import measure_profiles, record
    from autocontour.models.inference.published.sides import compare_sides
    from autocontour.pipeline.trial import picture_of

    if package.procedure is None or package.bundled or not package.path.is_dir():
        raise ModelError("AC-MD-087", package=package.name)
    if args.confirmed_by and not args.picture:
        raise ModelError("AC-MD-090", package=package.name)
    ct = read_chosen_ct(args, job)
    asked = list(getattr(args, "profile", []))
    reference, drawer = _reference(package, ct, args, job)
    test = compare_sides(ct, package, job, args.device, reference=reference, reference_name=drawer)
    if args.picture:
        write_atomically(args.picture, picture_of(test.drawings, ct, package.name))
    sides = test.check(args.confirmed_by)
    measured = measure_profiles(ct, package, asked, job, args.device) if asked else {}
    return record(package, sides, measured, getattr(args, "use", ""))


def _reference(
    package: ModelPackage, ct: CTVolume, args: argparse.Namespace, job: Job
) -> tuple[dict[str, Contours], str]:
    """Return the contours to compare with, by structure, and who drew them; none if none was asked for.

    Raises
    ------
    ModelError
        ``AC-MD-089`` if none of the package's structures is among them.
    """
    from autocontour.base.errors import ModelError
    from autocontour.models import find_package, segment_structures
    from autocontour.patient.nomenclature import match_name
    from autocontour.rtstruct import read_structure_set

    if args.reference:
        structures = read_structure_set(args.reference, ct).structures
        named = {one.tg263_name or match_name(one.name) or one.name: one.contours for one in structures}
        found, drawer = {name: one for name, one in named.items() if name in package.structures}, args.reference.name
    elif args.against:
        other = find_package(args.against)
        shared = [name for name in other.structures if name in package.structures]
        drawn = segment_structures(ct, other, shared, job, args.device).drawings if shared else {}
        found, drawer = {name: one.contours for name, one in drawn.items()}, f"{other.name} {other.version}"
    else:
        return {}, ""
    if not found:
        raise ModelError("AC-MD-089", reference=drawer, package=package.name, structures=", ".join(package.structures))
    return found, drawer
