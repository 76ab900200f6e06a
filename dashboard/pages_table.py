"""Page: the ranked table of a suite."""

import pandas as pd
import streamlit as st

from bench.conventions import warnings
from bench.export import FORMATS, footnotes
from bench.leaderboard import Row


def frame(rows: list[Row]) -> pd.DataFrame:
    """The table as a frame: scores in percent, one row a line of the leaderboard."""
    plain = pd.DataFrame([row.to_json() for row in rows])
    names = ["rank", "model", "external", "dataset", "augmentation", "fraction", "output_stride"]
    table = plain[names].copy()
    for metric in ("miou", "boundary_iou"):
        for column in (metric, f"{metric}_low", f"{metric}_high"):
            table[column] = pd.to_numeric(plain[column]) * 100
    table["miou_of_ceiling"] = pd.to_numeric(plain["miou_of_ceiling"]) * 100
    table = table.join(plain[["images_per_s", "latency_ms", "parameters", "seeds", "status"]])
    # What is the same in every row says nothing and costs width.
    return table.drop(
        columns=[name for name in ("external", "dataset", "augmentation", "fraction", "status") if table[name].nunique() == 1]
    )


def leaderboard() -> None:
    """Draw the table, its notes and the downloads."""
    rows: list[Row] = st.session_state["rows"]
    st.title("Leaderboard")
    if not rows:
        st.info("No cell of this suite can be shown.")
        return
    number = st.column_config.NumberColumn
    labels = {"miou": "mIoU %", "miou_low": "low", "miou_high": "high"}
    labels |= {"boundary_iou": "Boundary IoU %", "boundary_iou_low": "low ", "boundary_iou_high": "high "}
    labels["miou_of_ceiling"] = "% of ceiling"
    config = {name: number(label, format="%.1f") for name, label in labels.items()}
    config |= {"images_per_s": number("Images/s", format="%.1f"), "latency_ms": number("Latency ms", format="%.1f")}
    config |= {"rank": number("#"), "output_stride": number("Stride px"), "parameters": number("Parameters", format="compact")}
    st.dataframe(frame(rows), column_config=config, hide_index=True, width="stretch")
    for warning in warnings(rows):
        st.warning(warning)
    for note in footnotes(rows):
        st.caption(note.replace("$", r"\$"))
    suite = st.session_state["suite"]
    for column, (name, write) in zip(st.columns(4), FORMATS.items(), strict=True):
        ending = {"latex": "tex"}.get(name, name)
        column.download_button(name.upper(), write(rows), file_name=f"{suite}.{ending}", key=f"download-{name}")
