"""Statistics of a study, on records whose answers are known, and on the contours of two real observers."""

import json
import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from shapely import MultiPolygon, affinity, box

from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.qa.commissioning.gate import read_limits
from autocontour.qa.commissioning.study.analysis import Analysis, summarize_metric
from autocontour.qa.commissioning.study.compare import CONSENSUS, are_copies, compare_structure
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.text import (
    beside_text,
    bound_text,
    consensus_text,
    kappa_text,
    where_drawn_text,
)
from autocontour.qa.commissioning.study.tolerances import Tolerance, Tolerances, read_tolerances

TOLERANCES = read_tolerances()


def row(structure, b, dsc, a=REFERENCE, *, missing=False, identical=False, volume=20.0):
    distance = None if missing else 10 * (1 - dsc)
    return {
        "structure": structure, "a": a, "b": b, "missing": missing, "identical": identical, "dsc": dsc,
        "surface_dsc": dsc, "hd95_mm": distance, "hausdorff_mm": distance, "mean_surface_distance_mm": distance,
        "added_path_length_mm": 100.0, "volume_a_cc": volume, "volume_b_cc": 0.0 if missing else volume * dsc,
        "volume_difference_cc": 0.0, "centroid_distance_mm": distance,
    }  # fmt: skip


def record(patient, rows, kappa=None):
    drawn = sorted({one["structure"] for one in rows})
    return {"patient": patient, "rows": rows, "drawn": {REFERENCE: drawn}, "kappa": kappa or {}}


def analyse(records, methods=("m1", "m2", "m3"), observers=(), others=(), tolerances=TOLERANCES):
    content = Analysis(records, observers, methods, others, tolerances, read_limits()).run()
    json.dumps(content, allow_nan=False)  # everything is plain JSON
    return content


@pytest.fixture
def three_methods():
    """Twelve patients with three methods; the third has no set in two of them."""
    rng = np.random.default_rng(5)
    records = []
    for n in range(12):
        base = rng.normal(0.85, 0.03)
        dsc = {"m1": base, "m2": base + rng.normal(0.03, 0.01), "m3": base + rng.normal(0, 0.01)}
        records.append(record(f"p{n}", [row("Heart", m, d) for m, d in dsc.items() if n < 10 or m != "m3"]))
    return records


def values(records, method, patients=None):
    return [one["dsc"] for r in records for one in r["rows"] if one["b"] == method and patients in (None, r["patient"])]


def test_paired_tests_are_those_of_scipy_with_bonferroni_for_three(three_methods):
    tests = [one for one in analyse(three_methods)["paired_tests"] if one["metric"] == "dsc"]
    assert [(one["first"], one["second"]) for one in tests] == list(combinations(("m1", "m2", "m3"), 2))
    assert all(one["alpha"] == pytest.approx(0.05 / 3) for one in tests)
    first = tests[0]
    one, two = values(three_methods, "m1"), values(three_methods, "m2")
    assert first["t_p"] == pytest.approx(stats.ttest_rel(two, one).pvalue, abs=1e-12)
    assert first["wilcoxon_p"] == pytest.approx(stats.wilcoxon(two, one).pvalue, abs=1e-12)
    assert (first["significant"], tests[1]["significant"]) == (True, False)


def test_unpaired_patients_are_in_no_paired_test_and_are_counted(three_methods):
    test = next(one for one in analyse(three_methods)["paired_tests"] if one["second"] == "m3")
    assert (test["n"], test["unpaired"]) == (10, 2)
    one, three = values(three_methods, "m1")[:10], values(three_methods, "m3")
    assert test["wilcoxon_p"] == pytest.approx(stats.wilcoxon(three, one).pvalue, abs=1e-12)


def test_a_failure_lowers_the_mean_and_is_in_every_test():
    records = [record(f"p{n}", [row("Heart", "m1", 0.9), row("Heart", "m2", 0.9)]) for n in range(9)]
    records.append(record("p9", [row("Heart", "m1", 0.9), row("Heart", "m2", 0.0, missing=True)]))
    content = analyse(records, ("m1", "m2"))
    second = content["results"][1]
    assert (second["n"], second["failures"]) == (10, 1)
    assert second["metrics"]["dsc"]["mean"] == pytest.approx(0.81)
    assert (second["metrics"]["hd95_mm"]["mean"], second["metrics"]["hd95_mm"]["infinite"]) == ("infinity", 1)
    assert second["metrics"]["hd95_mm"]["finite_mean"] == pytest.approx(1)
    test = {one["metric"]: one for one in content["paired_tests"]}
    assert test["dsc"]["n"] == 10
    assert (test["hd95_mm"]["n"], test["hd95_mm"]["not_finite"]) == (10, 1)
    # Only one patient differs: no test could find that significant.
    assert (test["dsc"]["different"], test["dsc"]["can_be_significant"]) == (1, False)
    shown = next(one for one in content["non_inferiority"] if one["method"] == "m2")
    assert (shown["comparator"], shown["shown"]) == ("m1", False)


def test_a_structure_that_another_program_never_has_is_not_a_failure_but_listed():
    records = [record(f"p{n}", [row("Heart", "vendor", 0.0, missing=True), row("Heart", "m1", 0.0, missing=True)])
               for n in range(3)]  # fmt: skip
    content = analyse(records, ("m1", "vendor"), others=("vendor",))
    assert content["not_offered"] == [{"method": "vendor", "structure": "Heart"}]
    assert [(one["method"], one["failures"]) for one in content["results"]] == [("m1", 3)]


def test_too_few_patients_give_no_interval_no_tail_and_no_significance():
    records = [record(f"p{n}", [row("Heart", "m1", 0.80 + n / 100), row("Heart", "m2", 0.9)]) for n in range(5)]
    content = analyse(records, ("m1", "m2"))
    figures = content["results"][0]["metrics"]["dsc"]
    assert (figures["mean_interval"], figures["percentile_5"], figures["too_few_for_interval"]) == (None, None, True)
    # Five differences of one sign: p is 2 / 2⁵ = 0.0625, above 0.05 whatever the data are.
    test = content["paired_tests"][0]
    assert test["can_be_significant"] is False
    assert {one["shown"] for one in content["non_inferiority"]} == {None}


def test_the_percentile_and_the_median_with_infinite_values():
    figures = summarize_metric([*range(1, 24), math.inf, math.inf])
    assert (figures["n"], figures["infinite"], figures["median"]) == (25, 2, 13)
    assert (figures["percentile_5"], figures["percentile_95"]) == (pytest.approx(2.2), "infinity")
    assert figures["finite_sd"] == pytest.approx(np.std(np.arange(1, 24), ddof=1))
    assert summarize_metric([math.nan])["undefined"] == 1


def test_the_place_beside_the_observers():
    """Inside in the patients where the method is as close to both humans as they are to each other."""
    records = []
    for n, (human, method) in enumerate([(0.85, 0.9), (0.85, 0.8), (0.85, 0.85), (1.0, 0.2)]):
        rows = [row("Heart", "second", human, identical=human == 1), row("Heart", "m1", method),
                row("Heart", "m1", method, a="second")]  # fmt: skip
        records.append(record(f"p{n}", rows, {"Heart": 0.8}))
    content = analyse(records, ("m1",), ("second",))
    place = content["places"][0]
    # The last pair is a copy, so that it shows nothing about observers.
    assert (place["n"], place["inside"]) == (3, 2)
    spread = content["observers"][0]
    assert (spread["pairs"], spread["identical"]) == (3, ["p3"])
    assert spread["metrics"]["dsc"]["maximum"] == pytest.approx(0.85)


def test_copies_do_not_raise_the_agreement_of_volumes():
    rng = np.random.default_rng(2)
    real = [record(f"p{n}", [row("Heart", "second", d, volume=20 + n)]) for n, d in enumerate(rng.uniform(0.6, 1, 8))]
    copies = [record(f"c{n}", [row("Heart", "second", 1.0, identical=True, volume=20 + 5 * n)]) for n in range(8)]
    found = [analyse(records, (), ("second",))["volumes"][0]["icc"]["manual sets"] for records in (real, real + copies)]
    assert found[0] == found[1]
    assert found[0]["n"] == 8


def test_copies_do_not_raise_kappa_and_consensus():
    """A set that is a copy of another one agrees with it completely, and pulls the consensus to both."""

    def rows(identical):
        value = 1.0 if identical else 0.8
        return [row("Heart", "second", value, identical=identical), row("Heart", "third", 0.8),
                row("Heart", "third", 0.8, a="second"),
                *(row("Heart", one, value, a=CONSENSUS) for one in (REFERENCE, "second", "third"))]  # fmt: skip

    real = [record(f"p{n}", rows(identical=False), {"Heart": 0.7}) for n in range(4)]
    copies = [record(f"c{n}", rows(identical=True), {"Heart": 0.95}) for n in range(4)]
    found = analyse(real + copies, (), ("second", "third"))["observers"][0]
    assert found["kappa_mean"] == pytest.approx(0.7)
    assert (found["consensus_dsc"]["n"], found["consensus_dsc"]["maximum"]) == (12, 0.8)
    assert found["identical"] == ["c0", "c1", "c2", "c3"]


def test_the_level_counts_only_methods_that_offer_the_structure(three_methods):
    """Bonferroni over pairs that were never tested would hide differences."""
    for one in three_methods:
        one["rows"] += [row("Liver", "m1", 0.9), row("Liver", "m2", 0.8)]
        one["drawn"] = {REFERENCE: ["Heart", "Liver"]}
    levels = {one["structure"]: one["alpha"] for one in analyse(three_methods)["paired_tests"]}
    assert levels == {"Heart": pytest.approx(0.05 / 3), "Liver": 0.05}


def test_an_infinite_median_is_outside_its_limit():
    own = Tolerance("x", tau_mm=3, hd95_mm=5)
    tolerances = Tolerances(own, {}, {"x": "a test"})
    records = [record(f"p{n}", [row("Heart", "m1", 0.0, missing=True)]) for n in range(2)]
    result = analyse(records, ("m1",), tolerances=tolerances)["results"][0]
    assert (result["limits"][0]["value"], result["limits"][0]["within"]) == ("infinity", False)


def test_the_margin_and_the_limits_have_the_sources_of_the_file():
    own = Tolerance("local", tau_mm=2.0, dsc=0.8, dsc_margin=0.5)
    tolerances = Tolerances(Tolerance("all", tau_mm=3.0), {"Lung": own}, {"local": "measured here", "all": "general"})
    records = [record(f"p{n}", [row("Lung_L", "m1", 0.9), row("Lung_L", "m2", 0.7), row("Heart", "m1", 0.9)])
               for n in range(9)]  # fmt: skip
    content = analyse(records, ("m1", "m2"), tolerances=tolerances)
    results = {(one["structure"], one["method"]): one for one in content["results"]}
    assert (results["Lung_L", "m1"]["tau_mm"], results["Heart", "m1"]["tau_mm"]) == (2.0, 3.0)
    assert results["Lung_L", "m1"]["tau_source"] == "measured here"
    assert [results["Lung_L", m]["limits"][0]["within"] for m in ("m1", "m2")] == [True, False]
    assert not results["Heart", "m1"]["limits"]
    margin = content["non_inferiority"][0]
    assert (margin["margin"], margin["source"], margin["shown"]) == (0.5, "measured here", True)


def ball(radius, centre, shape=(24, 40, 40)):
    grid = np.indices(shape)
    return ((grid - np.array(centre)[:, None, None, None]) ** 2).sum(axis=0) < radius**2


def test_the_consensus_of_three_does_not_depend_on_the_methods():
    geometry = VolumeGeometry.regular((24, 40, 40), (1, 1, 1))
    drawn = {
        name: {"Heart": contours_from_mask(ball(8, (12, 20, 20 + shift)), geometry)}
        for name, shift in ((REFERENCE, 0), ("second", 1), ("third", -1))
    }
    drawn["near"] = drawn[REFERENCE]
    drawn["far"] = {"Heart": contours_from_mask(ball(3, (3, 3, 3)), geometry)}
    observers = ("second", "third")
    rows, kappa = compare_structure("Heart", drawn, observers, ("near",), geometry, TOLERANCES)
    again, same = compare_structure("Heart", drawn, observers, ("near", "far"), geometry, TOLERANCES)
    found = [one for one in rows if one["a"] == CONSENSUS]
    assert found == [one for one in again if one["a"] == CONSENSUS and one["b"] != "far"]
    assert {one["b"] for one in found} == {REFERENCE, "second", "third", "near"}
    assert kappa == same
    assert min(one["dsc"] for one in found) > 0.9


def test_only_the_slices_of_the_reference_where_the_tolerances_state_it():
    geometry = VolumeGeometry.regular((24, 40, 40), (1, 1, 1))
    column = np.zeros((24, 40, 40), bool)
    column[:, 10:20, 10:20] = True
    part = column.copy()
    part[:6] = part[18:] = False
    drawn = {REFERENCE: {"SpinalCord": contours_from_mask(part, geometry)},
             "m1": {"SpinalCord": contours_from_mask(column, geometry)}}  # fmt: skip
    own = Tolerance("x", where_drawn=True)
    tolerances = Tolerances(Tolerance("x", tau_mm=3), {"SpinalCord": own}, {"x": "a test"})
    assert compare_structure("SpinalCord", drawn, (), ("m1",), geometry, tolerances)[0][0]["dsc"] == 1
    whole = compare_structure("SpinalCord", drawn, (), ("m1",), geometry, TOLERANCES)[0][0]
    assert whole["dsc"] == pytest.approx(2 / 3)


def read_observer(file, name, shape):
    start, stop = file[f"{name}/box_zyx"].T
    mask = np.zeros(shape, bool)
    size = stop - start
    bits = np.unpackbits(file[f"{name}/bits"], count=int(np.prod(size))).astype(bool)
    mask[tuple(slice(*ends) for ends in zip(start, stop, strict=True))] = bits.reshape(size)
    return mask


def test_two_real_observers_equal_a_direct_computation_and_their_copies_are_found(shared_data):
    records, direct, copies = [], [], 0
    for path in sorted((shared_data / "observers").glob("*.npz"))[:2]:
        with np.load(path) as file:
            shape = tuple(int(size) for size in file["shape_zyx"])
            geometry = VolumeGeometry.regular(shape, tuple(file["spacing_zyx_mm"].tolist()))
            rows, kappas = [], {}
            for name in ("Cochlea-Lt", "Cochlea-Rt", "Lens-Lt", "Parotid-Lt", "Mandible"):
                if f"oncologist/{name}/bits" not in file:
                    continue
                masks = {one: read_observer(file, f"{one}/{name}", shape) for one in ("oncologist", "radiographer")}
                one, two = masks.values()
                direct.append(2 * (one & two).sum() / (one.sum() + two.sum()))
                copies += np.array_equal(one, two)
                drawn = {REFERENCE: {name: contours_from_mask(one, geometry)},
                         "second": {name: contours_from_mask(two, geometry)}}  # fmt: skip
                found, kappas[name] = compare_structure(name, drawn, ("second",), (), geometry, TOLERANCES)
                rows += found
            records.append(record(path.stem, rows, kappas))
    assert [one["dsc"] for r in records for one in r["rows"]] == pytest.approx(direct, abs=1e-12)
    content = analyse(records, (), ("second",))
    assert sum(len(one["identical"]) for one in content["observers"]) == copies > 0
    assert all(one["metrics"]["dsc"]["maximum"] != 1 for one in content["observers"])


def test_outlines_with_the_same_voxels_are_no_copies():
    """On coarse voxels two people can fill the same ones; a copy has the outlines of the other, up to rounding."""
    geometry = VolumeGeometry.regular((24, 40, 40), (3, 4, 4))
    first = {k: MultiPolygon([box(41, 41, 99, 99)]) for k in range(5, 15)}
    near = {k: affinity.translate(shape, 0.8, 0) for k, shape in first.items()}
    rounded = {k: affinity.translate(shape, 0.004, 0) for k, shape in first.items()}
    drawn = {name: {"Heart": mine} for name, mine in ((REFERENCE, first), ("second", near), ("third", rounded))}
    rows, _ = compare_structure("Heart", drawn, ("second", "third"), (), geometry, TOLERANCES)
    found = {one["a"] + " " + one["b"]: (one["dsc"], one["identical"]) for one in rows if one["a"] != CONSENSUS}
    assert found == {"reference second": (1, False), "reference third": (1, True), "second third": (1, False)}
    assert not are_copies(first, {k: first[k] for k in range(5, 14)})
    assert not are_copies({}, {})


def test_the_spread_states_how_many_patients_kappa_and_consensus_have():
    pairs = [row("Heart", "second", 0.8), row("Heart", "second", 0.9, a=CONSENSUS)]
    records = [record("p0", pairs, {"Heart": 0.7}), record("p1", pairs[:1], {"Heart": 0.9})]
    (spread,) = analyse(records, methods=(), observers=("second",))["observers"]
    assert (spread["kappa_patients"], spread["consensus_patients"]) == (2, 1)
    assert (kappa_text(spread), consensus_text(spread)) == ("0.800, n 2", "0.900, n 1")


def test_a_report_states_which_structures_are_compared_on_a_part_of_the_slices():
    """The tolerances alone had it: an auditor could not see that the figures leave out the ends."""
    own = {"Heart": Tolerance("x", where_drawn=True)}
    tolerances = Tolerances(Tolerance("x", tau_mm=3), own, {"x": "a test"})
    content = analyse([record("p0", [row("Heart", "m1", 0.8)])], tolerances=tolerances)
    assert "Heart" in where_drawn_text(content["results"])
    assert where_drawn_text(analyse([record("p0", [row("Heart", "m1", 0.8)])])["results"]) == ""


def test_a_copy_of_the_reference_is_no_observer_to_be_compared_with():
    """Its DSC of 1 made the observer look better than any person is."""
    records = [
        record(f"p{n}", [row("Heart", "second", 1.0 if n == 9 else 0.9, identical=n == 9), row("Heart", "m1", 0.9)])
        for n in range(10)
    ]
    content = analyse(records, methods=("m1",), observers=("second",))
    (found,) = [one for one in content["non_inferiority"] if one["comparator"] == "second"]
    assert (found["n"], found["mean_difference"]) == (9, pytest.approx(0))


@pytest.mark.parametrize(
    ("value", "limit", "digits", "shown"),
    [
        (0.79996, 0.8, 3, ("0.79996", "0.80000")),
        (0.8, 0.8, 3, ("0.800", "0.8")),
        (0.81, 0.8, 3, ("0.810", "0.8")),
        (0.016671, 0.05 / 3, 4, ("0.016671", "0.016667")),
        ("infinity", 6.0, 3, ("∞", "6")),
        (None, 6.0, 3, ("–", "6")),
    ],
)
def test_a_value_beside_its_limit_is_not_rounded_to_it(value, limit, digits, shown):
    """A mean of 0.79996 was shown as 0.800 beside the limit 0.8 and the word no."""
    assert beside_text(value, limit, digits) == shown
    assert bound_text({"lower_bound": -0.030004, "margin": 0.03}) == ("-0.030004", "0.030000")
