"""Page: everything about one cell."""

import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from bench import figures
from bench.cell import Cell
from bench.errors import BenchError
from bench.store import Result, read_json
from bench.stored import inside, note_of
from dashboard.source import cells, chosen, curves, file_text
from dashboard.views.draw import draw, draw_table
from dashboard.views.facts import facts, fields
from dashboard.views.notes import tell
from dashboard.words import cause, literal, short

_IDS_SHOWN = 2000


def page() -> None:
    """Draw one cell: scores, spec, environment, data, timings, its run in MLflow, and the command that repeats it."""
    known = cells()
    if not known:
        st.info("No cell of this suite can be shown.")
        return
    labels = {cell.id: f"{cell.label}  [{cell.id[:12]}]" for cell in known}
    cell_id = st.selectbox("Cell", list(labels), format_func=lambda each: short(labels[each], 90), key="cell", bind="query-params")
    cell = next(each for each in known if each.id == cell_id)
    store = chosen().store
    result, failure = store.result(cell.id), store.failure(cell.id)
    if failure:
        st.error(literal(f"{cause(failure.cause)}: {failure.message}"))
    elif not result:
        st.info("This cell has no result yet.")
    _repeat(cell)
    _mlflow(cell)
    if result:
        _scores(result)
        _data(cell, result)
        _facts("Timings", result.seconds)
        _facts("Environment", _environment(result))
    _curve(cell)
    with st.expander("Resolved spec"):
        draw_table(fields(cell.to_json()), "Every field of the cell's spec", whole=True)
    log = file_text(inside(store, cell.id, "log.txt"))
    if log:
        with st.expander("The end of its log"):
            st.code(log, language=None)


def command(cell: Cell) -> str:
    """The command that repeats a cell; one trained elsewhere is scored again."""
    source = str(note_of(chosen().store, chosen().suite).get("source", "SUITE"))
    suite = shlex.quote(f"suites/{short(source)}" if "/" not in source else short(source))
    if cell.external:
        return f"bench score {suite} --predictions DIR --name {shlex.quote(short(cell.model_label))}"
    return f"bench run {suite} --cell {cell.id} --store {shlex.quote('again')}"


def _repeat(cell: Cell) -> None:
    st.caption(
        "The command that repeats it, into a store of its own:" if not cell.external else "The command that scores it again:"
    )
    st.code(command(cell), language="bash")
    st.caption("What `--set` said when the suite ran has to be said again. On the same CPU and versions the numbers are the same.")


def _scores(result: Result) -> None:
    st.subheader("Scores")
    left, right = st.columns(2)
    with left:
        draw_table(facts({**result.metrics, **result.model}), "Scores and size of the cell", whole=True)
    with right:
        draw_table(facts(result.profile or {}), "Speed and memory of the cell", whole=True)
    classes = (pd.DataFrame(result.per_class) * 100).rename(index=short, columns=figures.CLASS_SCORES)
    if len(classes):
        percent = {str(name): st.column_config.NumberColumn(f"{name} %", format="%.1f") for name in classes}
        draw_table(classes, "Scores of each class in percent", percent, index=True, whole=True)
    _facts("Checkpoint reported", result.chosen)


def _facts(title: str, known: Mapping[str, object]) -> None:
    if known:
        st.subheader(title)
        draw_table(facts(known), title, whole=True)


def _environment(result: Result) -> dict[str, object]:
    """Where it was scored; where it was trained is said only as far as that was elsewhere."""
    here = {key: value for key, value in result.environment.items() if key != "training"}
    there = result.environment.get("training")
    apart = {key: value for key, value in there.items() if here.get(key) != value} if isinstance(there, Mapping) else {}
    return {**here, "training": apart} if apart else here


def _data(cell: Cell, result: Result) -> None:
    plain = {key: value for key, value in result.data.items() if key != "rules"}
    _facts("Data", {**plain, "fingerprint": cell.fingerprints or {}})
    if isinstance(rules := result.data.get("rules"), Mapping):
        with st.expander("How boundaries were measured"):
            for name, rule in rules.items():
                st.markdown(f"**{literal(name)}:** {literal(rule)}")
    path = inside(chosen().store, cell.id, "train_ids.json")
    ids = read_json(path) if path.exists() else []
    if isinstance(ids, list) and ids:
        with st.expander(f"The {len(ids)} images it was trained on"):
            st.code("\n".join(short(each, 120) for each in ids[:_IDS_SHOWN]), language=None, height=240)
            if len(ids) > _IDS_SHOWN:
                st.caption(f"The first {_IDS_SHOWN} of {len(ids)}.")


def _curve(cell: Cell) -> None:
    found, faults = curves([cell])
    tell(faults)
    if len(found):
        st.subheader("Training")
        left, right = st.columns(2)
        with left:
            draw(figures.training(found, "loss"), "cell-loss", "Training loss over optimiser steps")
        with right:
            draw(figures.training(found, "val_miou"), "cell-val", "mIoU on the validation split over optimiser steps")


def _mlflow(cell: Cell) -> None:
    """A link to the cell's run, where its mirror is a server; else the command that shows it."""
    path = inside(chosen().store, cell.id, "mlflow.json")
    if not path.exists():
        return
    try:
        known = [(str(each["uri"]), str(each["run"])) for each in read_json(path).values()]
    except (BenchError, AttributeError, KeyError, TypeError):
        st.caption("Its note about MLflow cannot be read; `bench sync` writes it anew.")
        return
    for uri, run in known:
        if not re.fullmatch(r"[0-9a-f]{32}", run):
            continue
        # A link leads to a server alone: a result must not make one that runs something.
        if urlsplit(uri).scheme in ("http", "https") and urlsplit(uri).hostname:
            st.link_button("Its run in MLflow", f"{uri.rstrip('/')}/#/runs/{run}")
        else:
            st.caption(f"Its run in MLflow is {run}. To browse it:")
            st.code(f"mlflow ui --backend-store-uri {shlex.quote(short(uri, 300))}", language="bash")
