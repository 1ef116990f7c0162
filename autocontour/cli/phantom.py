"""``autocontour phantom``: a synthetic patient, as a CT series with its true structure set."""

from __future__ import annotations

import argparse
from pathlib import Path

SITES = ("head-neck", "thorax")
POSITIONS = ("HFS", "HFP", "HFDL", "HFDR", "FFS", "FFP", "FFDL", "FFDR")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("phantom", help="make a synthetic patient: a CT series and its true contours")
    parser.add_argument("-o", "--output", type=Path, required=True, help="new folder for CT/ and RS_truth.dcm")
    parser.add_argument("--site", choices=SITES, default="head-neck")
    parser.add_argument("--seed", type=int, default=0, help="which patient; the same seed gives the same files")
    parser.add_argument("--position", choices=POSITIONS, default="HFS", help="DICOM patient position")
    parser.add_argument(
        "--spacing", type=float, nargs=3, default=(3.0, 1.0, 1.0), metavar=("Z", "Y", "X"), help="voxels in mm"
    )
    parser.add_argument(
        "--shape", type=int, nargs=3, default=(134, 512, 512), metavar=("Z", "Y", "X"), help="slices, rows, columns"
    )
    parser.add_argument("--noise", type=float, default=11.0, metavar="HU", help="standard deviation of the noise")
    parser.add_argument("--oblique", type=float, default=0.0, metavar="DEG", help="turn of the slices about their rows")
    parser.add_argument("--contrast", action="store_true", help="contrast medium in the vessels")
    parser.add_argument("--metal", action="store_true", help="dental fillings with streaks")
    parser.add_argument("--mask", action="store_true", help="thermoplastic mask")
    parser.add_argument("--no-couch", action="store_true", help="without the couch")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build the patient and write both."""
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.dicom.series import SeriesDescription, check_new_folder, write_ct_series
    from autocontour.phantom import PhantomOptions, build_phantom, truth_structures
    from autocontour.rtstruct import write_structure_set

    options = PhantomOptions(args.noise, not args.no_couch, args.mask, args.contrast, args.metal, args.oblique)
    name = f"{args.site} {args.seed} {args.position} {tuple(args.spacing)} {tuple(args.shape)} {options}"
    body = "HEADNECK" if args.site == "head-neck" else "CHEST"
    description = SeriesDescription(
        f"PHANTOM^SEED{args.seed}", f"PHANTOM{args.seed}", args.position, body, uid_seed=name
    )
    check_new_folder(args.output)
    with progress_job(quiet=args.json) as job:
        phantom = build_phantom(
            args.site,
            args.seed,
            spacing_zyx_mm=tuple(args.spacing),
            shape_zyx=tuple(args.shape),
            position=args.position,
            options=options,
            job=job,
        )
        ct = write_ct_series(phantom.hu, phantom.geometry, args.output / "CT", description, job)
    write_structure_set(truth_structures(phantom, ct), ct, args.output / "RS_truth.dcm")
    if args.json:
        print_json(
            {
                "ct": str(args.output / "CT"),
                "truth": str(args.output / "RS_truth.dcm"),
                "structures": list(phantom.truth),
            }
        )
    else:
        console().print(
            f"{args.output}: {len(phantom.hu)} slices and the true contours of {', '.join(phantom.truth)}.",
            soft_wrap=True,
        )
    return 0
