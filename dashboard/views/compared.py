"""Part of a page: the rows a reader picked, tested against the first of them."""

import pandas as pd
import streamlit as st

from bench import figures
from bench.compare import differences_of
from bench.figures.look import QUANTITIES
from bench.names import names
from bench.pairs import spec_differences
from dashboard.source import ranked_rows
from dashboard.views.draw import draw, draw_table
from dashboard.words import literal, short


def draw_comparison(picked: list[str], metric: str) -> None:
    """Differences of the first row to the others with intervals and tests, and the fields in which their specs differ."""
    rows = ranked_rows(metric)
    named = {name: row for name, row in zip(names(rows), rows, strict=True) if row.images}
    first, others = picked[0], [name for name in picked[1:] if name in named]
    alike = [name for name in others if first in named and named[name].images[0].truth == named[first].images[0].truth]
    if len(alike) < len(picked) - 1:
        st.info("Rows without results, or scored on other images or labels, cannot be compared with the first.")
    if not alike:
        return
    pairs = [(named[first], named[name]) for name in alike]
    found = differences_of(pairs, rows, metrics=(metric,))
    table = pd.DataFrame(
        [
            {
                "pair": f"{short(first, 26)} − {short(name, 26)}",
                **{key: getattr(each, key) for key in ("difference", "low", "high", "p", "p_holm")},
            }
            for name, (each,) in zip(alike, found, strict=True)
        ]
    )
    title = QUANTITIES[metric].title
    draw(
        figures.differences(table, metric),
        "differences",
        f"Differences in {title} of {first} to {len(alike)} other rows, with intervals",
    )
    st.caption("95 % intervals and p-values by paired bootstrap over images and seeds, Holm's correction over the pairs shown.")
    specs = [
        {"with": short(name), "field": path, "first": short(mine), "other": short(theirs)}
        for name in alike
        for path, mine, theirs in spec_differences(named[first].cells[0], named[name].cells[0])
    ]
    if specs:
        st.markdown(f"What sets **{literal(short(first))}** apart:")
        draw_table(pd.DataFrame(specs), "Fields in which the specs of the compared rows differ")
