"""What less training data costs, and what augmentation gives back."""

import pandas as pd
import plotly.graph_objects as go

from bench.figures.apart import apart, places
from bench.figures.expected import axis_of
from bench.figures.look import DASHES, GREY, QUANTITIES, band, finish, plain, style

_FILLED = ("", "-open", "-open-dot", "-dot")
"""Markers of one model without augmentation, with one, with another ..."""


def less_data(frame: pd.DataFrame, metric: str = "miou", *, among: pd.DataFrame | None = None) -> go.Figure:
    """A score over the number of training images (log), one line a model and augmentation, intervals as bands.

    ``frame`` is that of `bench.load_results`; what was not trained here has no number of images and is left out.
    ``among`` holds all rows where ``frame`` has some of them: each model then looks as it does among all.
    """
    bounds = (f"{metric}_{end}" for end in ("low", "high") if len(frame))
    quantity = axis_of(frame, metric, "model", "augmentation", "train_images", metric, *bounds)
    shown = frame.dropna(subset=["train_images", metric])
    sets, looks = shown["dataset"].nunique(), places(shown, ("model",), among)
    known = (shown if among is None else among)["augmentation"]
    augmentations = sorted({*shown["augmentation"].dropna(), *known.dropna()}, key=lambda name: (name != "none", name))
    order = {name: place for place, name in enumerate(augmentations)}
    shown = shown.assign(order=shown["augmentation"].map(order))
    figure = go.Figure()
    for (dataset, model, _, augmentation), rows in shown.groupby(["dataset", "model", "order", "augmentation"]):
        place = order[augmentation]
        rows = rows.sort_values("train_images")
        name = plain(" · ".join([str(model), f"augmentation {augmentation}", *([str(dataset)] if sets > 1 else [])]))
        # Colour and shape of the marker say which model; the dash, and how the marker is filled, which augmentation.
        look = style(looks[str(model),])
        look["line"]["dash"] = DASHES[place % len(DASHES)]
        look["marker"]["symbol"] += _FILLED[place % len(_FILLED)]
        low, high = (rows[f"{metric}_{end}"] * quantity.scale for end in ("low", "high"))
        if (bounded := low.notna() & high.notna()).sum() > 1:
            x = rows["train_images"][bounded].tolist()
            figure.add_trace(band(x, low[bounded].tolist(), high[bounded].tolist(), look["line"]["color"], name))
        figure.add_trace(
            go.Scatter(
                x=rows["train_images"],
                y=rows[metric] * quantity.scale,
                name=name,
                legendgroup=name,
                customdata=[[plain(each)] for each in rows["row"]],
                hovertemplate=f"%{{customdata[0]}}<br>%{{x}} training images<br>{quantity.hover('y')}<extra></extra>",
                mode="lines+markers",
                **look,
            )
        )
    ticks = sorted(shown["train_images"].unique())
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{each:.0f}" for each in ticks])
    return finish(figure, f"{quantity.title} by amount of training data", QUANTITIES["train_images"].axis, quantity.axis)


def differences(pairs: pd.DataFrame, metric: str = "miou") -> go.Figure:
    """Paired differences in a score with their 95 % intervals, one line each.

    ``pairs`` has the columns `pair` (what is compared), `difference`, `low` and `high` in [-1, 1] (NaN: untested), and `p_holm`.
    """
    quantity = QUANTITIES[metric]
    shown = pairs.dropna(subset=["difference"]).iloc[::-1]
    figure = go.Figure()
    if len(shown):
        value = shown["difference"] * 100
        p = [f"p {each:.3f} (Holm)" if each == each else "not tested" for each in pd.to_numeric(shown["p_holm"])]
        figure.add_trace(
            go.Scatter(
                x=value,
                y=apart(shown["pair"]),
                error_x={"type": "data", "array": shown["high"] * 100 - value, "arrayminus": value - shown["low"] * 100},
                mode="markers",
                customdata=[[each] for each in p],
                hovertemplate="%{y}<br>%{x:+.1f} points<br>%{customdata[0]}<extra></extra>",
                showlegend=False,
                **{**style(0), "line": None},
            )
        )
        figure.add_vline(x=0, line={"color": GREY, "dash": "dash"})
    finish(figure, f"Difference in {quantity.title}", "Difference (points)", "", zero=False)
    return figure.update_layout(height=110 + 34 * max(3, len(shown)))
