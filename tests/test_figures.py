"""Figures show the numbers of their frames, with units, in lines that can be told apart, and text stays text."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from bench import figures
from bench.errors import BenchError
from bench.figures.apart import apart, places
from bench.figures.beside import Point, labelled
from bench.figures.look import plain, style
from bench.figures.pictures import RIGHT, VOID_COLOUR, WRONG, coloured, errors
from bench.figures.tradeoff import pareto

TAG = "<b>x</b> %{x} & <a href='javascript:1'>y</a>"


def frame(**more: object) -> pd.DataFrame:
    rows = [("a32", "a", 32, 0.2), ("a16", "a", 16, 0.5), ("a8", "a", 8, 0.6), ("b", "b", 1, 0.7), ("c", TAG, 8, None)]
    table = pd.DataFrame(rows, columns=["row", "family", "output_stride", "miou"])
    table = table.assign(dataset="d", model=table["row"], augmentation="none", measured="CPU", rank=[4, 3, 1, 1, None], **more)
    table["train_images"], table["parameters"] = 100.0, [1e6, 2e6, 4e6, 8e6, None]
    table["miou_low"], table["miou_high"] = table["miou"] - 0.1, table["miou"] + 0.05
    table["miou_ceiling"] = [0.4, 0.6, 0.8, 1.0, None]
    table["miou_of_ceiling"] = table["miou"] / table["miou_ceiling"]
    table["images_per_s"] = [50.0, 40.0, 30.0, 10.0, 60.0]
    return table


def named(figure: object, name: str) -> list[object]:
    return [trace for trace in figure.data if trace.name == name]  # type: ignore[attr-defined]


def test_the_stride_figure_holds_the_frame_in_percent() -> None:
    figure = figures.stride(frame())
    (line,) = named(figure, "a")
    assert list(line.x) == [8, 16, 32] and list(line.y) == pytest.approx([60, 50, 20])
    (band,) = named(figure, "a, 95 % interval")
    assert list(band.y) == pytest.approx([65, 55, 25, 10, 40, 50]) and band.fill == "toself"  # upper edge forth, lower edge back
    (alone,) = named(figure, "b")
    assert list(alone.error_y.array) == pytest.approx([5]) and list(alone.error_y.arrayminus) == pytest.approx([10])
    (ceiling,) = named(figure, "ceiling of the labels")
    assert list(ceiling.x) == [1, 8, 16, 32] and list(ceiling.y) == pytest.approx([100, 80, 60, 40]) and ceiling.line.dash == "dash"
    assert figure.layout.xaxis.type == "log" and figure.layout.yaxis.title.text == "mIoU (%)"
    assert figure.layout.xaxis.title.text == "Output stride (px)"


def test_a_frame_that_a_figure_does_not_draw_is_refused() -> None:
    """Also one of rows given as a trimap curve, whose columns have the same names."""
    rows = frame(width_px=96)
    draws: list[tuple[object, str]] = [
        (lambda: figures.trimap(rows), "a frame of rows was given; this figure draws .*'trimap'"),
        (lambda: figures.sizes(rows), "without side_px"),
        (lambda: figures.classes(rows), "without class"),
        (lambda: figures.training(rows), "without label, step"),
        (lambda: figures.stride(rows, "mio"), "'mio' has no axis. Did you mean 'miou'"),
        (lambda: figures.stride(rows.drop(columns="family")), "without family"),
        (lambda: figures.tradeoff(rows, "latency_ms"), "without latency_ms"),
        (lambda: figures.intervals(rows, "parameters"), "without parameters_low, parameters_high"),
    ]
    for draw, told in draws:
        with pytest.raises(BenchError, match=told):
            draw()  # type: ignore[operator]


def test_scores_may_be_shown_as_shares_of_the_ceiling() -> None:
    figure = figures.stride(frame(), of_ceiling=True)
    (line,) = named(figure, "a")
    assert list(line.y) == pytest.approx([75, 100 * 0.5 / 0.6, 50]) and not named(figure, "ceiling of the labels")
    (band,) = named(figure, "a, 95 % interval")
    assert list(band.y)[:3] == pytest.approx([100 * 0.65 / 0.8, 100 * 0.55 / 0.6, 100 * 0.25 / 0.4])
    with pytest.raises(BenchError, match="has no ceiling"):
        figures.stride(frame(), "images_per_s", of_ceiling=True)


def test_speeds_of_several_devices_are_no_line() -> None:
    table = frame()
    table.loc[table["row"] == "a8", "measured"] = "GPU"
    figure = figures.stride(table, "images_per_s")
    assert [list(trace.x) for trace in figure.data if trace.name in ("a · CPU", "a · GPU")] == [[16, 32], [8]]
    fronts = [trace.name for trace in figures.tradeoff(table).data if trace.mode == "lines"]
    assert len(fronts) == 1 and fronts[0].endswith("CPU")  # of the one row on the GPU there is no front


@pytest.mark.parametrize("cost", ["images_per_s", "latency_ms"])
def test_the_front_is_what_nothing_beats(cost: str) -> None:
    chance = np.random.default_rng(0)
    table = pd.DataFrame({cost: chance.integers(1, 20, 60).astype(float), "miou": chance.integers(1, 20, 60) / 20})
    sign = 1 if cost == "images_per_s" else -1
    points = [(sign * one, score) for one, score in zip(table[cost], table["miou"], strict=True)]
    front = {p for p in points if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in points)}
    found = pareto(table, cost, "miou")
    assert {(sign * one, score) for one, score in zip(found[cost], found["miou"], strict=True)} == front


def test_a_bubble_has_the_area_of_its_parameters() -> None:
    (trace,) = named(figures.tradeoff(frame()), "a")
    areas = np.square(trace.marker.size)
    assert areas / areas[0] == pytest.approx([1, 2, 4])


def test_differences_stand_where_they_are() -> None:
    pairs = pd.DataFrame(
        {"pair": ["p", TAG], "difference": [0.1, -0.2], "low": [0.05, None], "high": [0.2, None], "p_holm": [0.01, None]}
    )
    (trace,) = figures.differences(pairs).data
    assert list(trace.x) == pytest.approx([-20, 10]) and trace.error_x.array[1] == pytest.approx(10)
    assert trace.error_x.arrayminus[1] == pytest.approx(5) and [each[0] for each in trace.customdata] == [
        "not tested",
        "p 0.010 (Holm)",
    ]


def test_curves_are_drawn_row_by_row() -> None:
    keys = {"dataset": "d", "row": ["u", "u", "v", "v"]}
    trimap = figures.trimap(pd.DataFrame({**keys, "width_px": [1, 2, 1, 2], "miou": [0.1, 0.2, 0.3, None]}))
    assert [list(trace.y) for trace in trimap.data] == [pytest.approx([10, 20]), pytest.approx([30])]
    far = figures.distance(pd.DataFrame({**keys, "edge_strides": [0.25, None, 0.25, 0.5], "error": [0.5, 0.1, 0.4, 0.2]}))
    assert [list(trace.x) for trace in far.data] == [[0.25], [0.25, 0.5]]
    sizes = figures.sizes(pd.DataFrame({**keys, "side_px": [0, 256, 2, 256], "miou": [0.1, 0.2, 0.3, 0.4]}))
    assert list(sizes.layout.xaxis.categoryarray) == ["below 2", "2 to 4", "256 and more"]
    steps = figures.training(pd.DataFrame({"label": ["c", "c"], "step": [2, 1], "loss": [0.5, 0.9], "val_miou": [None, 0.3]}))
    assert list(steps.data[0].x) == [1, 2] and list(steps.data[0].y) == [0.9, 0.5]
    with pytest.raises(BenchError, match="Did you mean 'loss'"):
        figures.training(pd.DataFrame(), "los")


def test_text_of_results_is_never_markup() -> None:
    table = frame().assign(miou=0.5, miou_low=0.4, miou_high=0.6, row=TAG, family=TAG, dataset=TAG, augmentation=TAG)
    drawn = [figures.stride(table), figures.tradeoff(table), figures.less_data(table), figures.intervals(table)]
    drawn += [
        figures.classes(table.assign(**{"class": TAG, "iou": 0.5})),
        figures.training(table.assign(label=TAG, step=1, loss=1.0)),
    ]
    drawn += [
        figures.trimap(table.drop(columns="rank").assign(width_px=1)),
        figures.pictures([(TAG, np.zeros((2, 2, 3), np.uint8))], [(TAG, (0, 0, 0))]),
    ]
    for figure in drawn:
        text = json.dumps(figure.to_plotly_json(), default=str)
        assert "<b>x" not in text and "<a href" not in text
        templates = [trace.hovertemplate or "" for trace in figure.data if trace.type == "scatter"]
        assert not any("javascript" in each for each in templates)  # text comes by customdata, in which nothing is expanded
    assert plain("<b>") == "&lt;b&gt;" and len(plain("n" * 10_000_000)) == 60


def test_lines_can_be_told_apart_without_colour() -> None:
    looks = [style(place) for place in range(12)]
    for one, other in itertools.combinations(looks, 2):
        assert (one["line"]["dash"], one["marker"]["symbol"]) != (other["line"]["dash"], other["marker"]["symbol"]) or (
            one["line"]["color"] != other["line"]["color"]
        )
    for one, other in itertools.pairwise(looks):
        assert one["line"]["dash"] != other["line"]["dash"] and one["marker"]["symbol"] != other["marker"]["symbol"]


def test_an_empty_frame_says_that_it_is() -> None:
    for figure in (figures.stride(frame().iloc[:0]), figures.tradeoff(frame().iloc[:0]), figures.less_data(frame().iloc[:0])):
        assert "Nothing to draw" in figure.layout.annotations[0].text


def test_pictures_are_zoomed_together_and_errors_are_where_labels_differ() -> None:
    truth, predicted = np.array([[0, 1, 255]], np.uint8), np.array([[0, 0, 0]], np.uint8)
    assert errors(truth, predicted).tolist() == [[list(RIGHT), list(WRONG), list(VOID_COLOUR)]]
    assert coloured(truth, [(1, 2, 3), (4, 5, 6)]).tolist() == [[[1, 2, 3], [4, 5, 6], list(VOID_COLOUR)]]
    panel = np.zeros((2, 3, 3), np.uint8)
    figure = figures.pictures([("a", panel), ("b", panel), ("c", panel)], columns=2)
    assert {figure.layout[f"xaxis{each}"].matches for each in ("2", "3")} == {"x"} and figure.layout.yaxis3.matches == "y"
    with pytest.raises(BenchError, match="different sizes"):
        figures.pictures([("a", panel), ("b", panel[:1])])


def test_a_line_looks_alike_in_every_figure() -> None:
    table = frame().fillna({"miou": 0.1, "output_stride": 8})
    whole, part = table, table[table["row"] == "b"]
    for draw in (figures.stride, figures.tradeoff, figures.less_data):
        name = "b · augmentation none" if draw is figures.less_data else "b"
        (among,), (alone,) = named(draw(whole), name), named(draw(part, among=whole), name)
        assert among.marker.color == alone.marker.color and among.marker.symbol == alone.marker.symbol  # type: ignore[attr-defined]
    many = pd.DataFrame({"row": [f"{place:03}" for place in range(57)]})
    assert places(many[-2:], ["row"], many[1:]) == {(f"{place + 1:03}",): place for place in range(56)}
    assert places(many[-2:], ["row"], many) == {("055",): 0, ("056",): 1}  # of more lines than looks those drawn are counted


def test_names_that_begin_alike_stay_apart() -> None:
    long = [f"{'n' * 50}/fraction={share}" for share in (1, 0.5)]
    told = apart([*long, "a", "a", "a (2)"], 30)
    assert told == ["nnnnnnnnnnnnnn…nnn/fraction=1", "nnnnnnnnnnnnnn…n/fraction=0.5", "a", "a (2)", "a (2) (2)"]
    table = frame().dropna(subset=["miou"]).assign(row=[*long, "c", "d"])
    drawn = [place for trace in figures.intervals(table).data for place in trace.y]
    assert len(set(drawn)) == 4 and set(drawn) == set(figures.intervals(table).layout.yaxis.categoryarray)


def test_augmentation_is_told_without_colour() -> None:
    table = pd.concat([frame(), frame().assign(augmentation="flips")]).dropna(subset=["miou"])
    figure = figures.less_data(table)
    (bare,), (flipped,) = named(figure, "b · augmentation none"), named(figure, "b · augmentation flips")
    assert bare.line.color == flipped.line.color and bare.line.dash != flipped.line.dash  # type: ignore[attr-defined]
    assert flipped.marker.symbol == f"{bare.marker.symbol}-open"  # type: ignore[attr-defined]


def test_bubbles_bear_names_where_there_is_room() -> None:
    figure = figures.tradeoff(frame())
    assert {each.text for each in figure.layout.annotations} == {"a32 · 32 px", "a16 · 16 px", "a8 · 8 px", "b · 1 px"}
    figure.layout.annotations = ()
    crowd = [Point(5, 1, 4, "y" * 60)] * 30
    labelled(figure, [Point(0, 1, 4, "first"), Point(5, 0.5, 4, "far"), Point(2, 0.5, 4, "x" * 99), *crowd])
    said = [each.text for each in figure.layout.annotations]
    assert said[:2] == ["first", "far"] and "x" * 99 not in said and len(said) < 12


@pytest.mark.parametrize("value", ["0.5", [1], {"a": 1}, 10**400, True])
def test_a_curve_of_something_else_than_numbers_is_refused(value: object) -> None:
    columns = {"label": ["<b>c", "d"], "step": [1, 2], "loss": [value, 0.5], "val_miou": [None, float("nan")]}
    curves = pd.DataFrame(columns, dtype=object)
    with pytest.raises(BenchError, match=r"&lt;b&gt;c: its curve cannot be drawn: loss is .*, no number"):
        figures.training(curves, "loss")
    curves.loc[0, "loss"] = float("inf")  # of a training that diverged
    assert list(figures.training(curves[1:], "loss").data[0].y) == [0.5]
    assert "Nothing to draw" in figures.training(curves, "val_miou").layout.annotations[0].text
