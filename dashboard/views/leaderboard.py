"""Page: the ranked table of a suite."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from bench import __version__, figures
from bench.export import FORMATS
from bench.figures.look import QUANTITIES
from bench.layout import Layout
from bench.leaderboard import PERCENT
from bench.names import names
from bench.paper.command import command
from bench.paper.latex import latex
from bench.paper.sheet import sheet
from bench.stored import ranked
from dashboard.source import Shown, breakdown, chosen, table
from dashboard.views import choose, compared
from dashboard.views.draw import draw, draw_table
from dashboard.words import literal, short, status

_SHOWN_INTERVALS, _SHOWN_CLASSES = 60, 8
_ENDINGS = {"csv": ("CSV", "csv", "text/csv"), "md": ("Markdown", "md", "text/markdown"), "latex": ("LaTeX", "tex", "text/x-tex")}


def page() -> None:
    """Draw the table, its intervals, notes and downloads, and compare the rows the reader picks."""
    metric = choose.score("Ranked by")
    shown = table(metric)
    if shown.frame.empty:
        st.info("No cell of this suite can be shown.")
        return
    rows = choose.filtered(shown.frame)
    draw_table(tabled(rows, metric), "Ranked rows with scores in percent", _columns())
    _downloads(rows["row"].tolist(), metric)
    picked = choose.some("Compare rows", rows["row"].tolist(), key="compare", most=6, empty="pick two or more")
    if len(picked) == 1:
        st.caption("Pick one row more: the first is compared with each of the others.")
    if len(picked) > 1:
        compared.draw_comparison(picked, metric)
    for dataset, members in rows.groupby("dataset", sort=False):
        few = members.head(_SHOWN_INTERVALS)
        alt = f"{QUANTITIES[metric].title} of {len(few)} rows with 95 % intervals, the best on top"
        if rows["dataset"].nunique() > 1:
            st.subheader(literal(dataset))
            alt += f", on {short(dataset)}"
        draw(figures.intervals(few, metric), f"intervals-{dataset}", alt)
        if len(few) < len(members):
            st.caption(f"The first {len(few)} of {len(members)} rows. The filter above finds the others.")
    for warning in shown.warnings:
        st.warning(literal(warning, 1000))
    for note in shown.notes:
        st.caption(literal(note, 1000))
    _per_class(rows, shown.frame)


def tabled(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The table as it is shown: scores in percent, words cut where they are long, columns that say nothing left out."""
    scores = [name for name in dict.fromkeys((metric, "miou", "boundary_iou")) if name in rows]
    words = ["dataset", "augmentation", "fraction", "status"]
    # What a row lacks is said before the columns in which it is lacking.
    plain = rows[["rank", "model", "status", *words[:3], "output_stride"]].copy()
    plain["status"] = plain["status"].map(status)
    for name in ("model", "dataset", "augmentation"):
        plain[name] = rows[name].map(lambda text: short(text) if text is not None and text == text else None)
    plain["model"] = plain["model"].where(~rows["external"].astype(bool), plain["model"] + " †")
    for name in scores:
        for column in (name, f"{name}_low", f"{name}_high"):
            if column in rows and rows[column].notna().any():
                plain[column] = pd.to_numeric(rows[column]) * 100
    plain["miou_of_ceiling"] = rows["miou_of_ceiling"] * 100
    plain = plain.join(rows[["images_per_s", "latency_ms", "parameters", "seeds"]])
    constant = [name for name in words if plain[name].nunique(dropna=False) == 1 and not (name == "status" and plain[name].any())]
    return plain.drop(columns=constant)


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {"rank": number("#", help="1 + the number of rows significantly better"), "model": "Model"}
    config |= {"dataset": "Data set", "augmentation": "Augmentation", "fraction": number("Data share", format="%.3g")}
    config |= {"output_stride": number("Stride px", format="%d"), "status": "Status", "seeds": number("Seeds", format="%d")}
    for place, name in enumerate(PERCENT):
        config[name] = number(f"{QUANTITIES[name].title} %", format="%.1f")
        # Titles tell columns apart, so each pair has its own.
        config |= {
            f"{name}_low": number("low" + " " * place, format="%.1f"),
            f"{name}_high": number("high" + " " * place, format="%.1f"),
        }
    config["miou_of_ceiling"] = number("% of ceiling", format="%.1f", help="Share of what prediction at this stride could reach")
    config |= {"images_per_s": number("Images/s", format="%.1f"), "latency_ms": number("Latency ms", format="%.2f")}
    return config | {"parameters": number("Parameters", format="compact")}


def _downloads(wanted: list[str], metric: str) -> None:
    """The rows shown, with the ranks they have in the whole table; made when a button is pressed."""
    with st.container(horizontal=True):
        for name, (title, ending, kind) in _ENDINGS.items():
            file = f"{short(chosen().suite)}.{ending}"
            st.download_button(
                f"Download {title}",
                partial(written, chosen(), wanted, metric, name),
                file,
                kind,
                key=f"download-{name}",
                on_click="ignore",
            )


def written(shown: Shown, wanted: list[str], metric: str, to: str) -> str:
    """Some rows of a suite as a file; it runs in a thread that knows nothing of the page."""
    rows = ranked(shown.store, shown.suite, metric)[0]
    if to == "latex":
        layout = Layout(rows=tuple(wanted), interval="pm")
        options = {"suite": shown.suite, "metric": metric, "convention": "fcn", "settings": []}
        return latex(sheet(rows, shown.store, shown.suite, layout, options), command(options, to, layout), __version__)
    return FORMATS[to]([row for name, row in zip(names(rows), rows, strict=True) if name in set(wanted)])


def _per_class(rows: pd.DataFrame, whole: pd.DataFrame) -> None:
    st.subheader("Classes")
    few = rows.loc[rows["miou"].notna(), "row"].head(_SHOWN_CLASSES).tolist()
    shown, _ = breakdown("class", few) if few else (pd.DataFrame(), [])
    if shown.empty:
        st.info("No score is kept for single classes here.")
        return
    score = st.selectbox(
        "Score of each class",
        list(figures.CLASS_SCORES),
        format_func=lambda name: figures.CLASS_SCORES[name],
        key="class_score",
        bind="query-params",
    )
    draw(figures.classes(shown, score, among=whole), "classes", f"{score} of each class for {len(few)} rows")
    wide = shown.pivot_table(index="class", columns="row", values=score, sort=False, observed=True) * 100
    if wide.columns.map(short).is_unique:
        wide = wide.rename(columns=short)
    percent = {str(name): st.column_config.NumberColumn(format="%.1f") for name in wide}
    draw_table(wide.rename(index=short), "Scores of each class in percent; classes down, rows across", percent, index=True)
