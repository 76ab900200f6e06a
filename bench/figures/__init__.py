"""Plotly figures from the frames of `bench.load_results`: those of the dashboard, the HTML export and notebooks."""

from bench.figures.boundary import distance, sizes, trimap
from bench.figures.classes import SCORES as CLASS_SCORES
from bench.figures.classes import classes
from bench.figures.intervals import intervals
from bench.figures.less_data import differences, less_data
from bench.figures.pictures import pictures
from bench.figures.stride import stride
from bench.figures.tradeoff import tradeoff
from bench.figures.training import training

__all__ = [
    "CLASS_SCORES",
    "classes",
    "differences",
    "distance",
    "intervals",
    "less_data",
    "pictures",
    "sizes",
    "stride",
    "tradeoff",
    "training",
    "trimap",
]
