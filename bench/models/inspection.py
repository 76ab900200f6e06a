"""Everything `bench inspect` says of a model, as plain data: its layers one by one, and what they come to."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from torch import nn

from bench.models.shapes import activation_bytes
from bench.models.trace import count_flops, count_parameters, receptive_field_px, smallest_input_px
from bench.models.trail import Trail
from bench.models.walk import Step, Walk, walk


def inspect_model(model: nn.Module, size: Sequence[int], head: Sequence[str] = ()) -> dict[str, Any]:
    """Layers and summary of a model for one image of (height, width) ``size``.

    ``head`` names the parts that make a classifier's end; what lies before them is then summed up on its own, as ``trunk``.
    Figures are one number where rows and columns agree, and [rows, columns] where they do not.
    """
    walked = walk(model, int(size[0]), int(size[1]))
    trunk = next((n for n, step in enumerate(walked.steps) if step.name in head), 0)
    summary = {
        "height_px": int(size[0]),
        "width_px": int(size[1]),
        "output": list(walked.size),
        "output_stride": walked.output_stride,
        **_field(walked.rows, walked.columns),
    }
    if not (walked.rows.exact and walked.columns.exact):
        # Interpolation gives neighbours different windows: the largest is found by following coordinates.
        summary["receptive_field_px"] = receptive_field_px(model)
    if walked.rows.sizes is None or walked.columns.sizes is None:
        # What pools, upsamples or crops by what it is given is no one convolution: the smallest size is found by trying.
        summary["smallest_input_px"] = _both(*(smallest_input_px(model, size, axis) for axis in (0, 1)))
    return {
        "layers": [layer(step) for step in walked.steps],
        "trunk": _trunk(walked.steps[:trunk]) if trunk else None,
        "summary": {
            **summary,
            "misaligned": misaligned(walked),
            "parameters": count_parameters(model),
            "flops": count_flops(model, size),
            "activation_bytes": activation_bytes(model, size),
        },
    }


def layer(step: Step) -> dict[str, Any]:
    """One line of the table."""
    rows, columns = step.layers or (None, None)
    window = {
        key: _both(getattr(rows, key), getattr(columns, key)) if rows else None
        for key in ("kernel", "stride", "padding", "dilation")
    }
    return {
        "name": step.name,
        "kind": step.kind,
        **window,
        "channels": step.channels,
        "size": list(step.size),
        "compound_stride": _both(_number(step.rows.stride), _number(step.columns.stride)),
        "compound_kernel": _maps(step.rows, step.columns, "kernel"),
        "receptive_field_px": _both(step.rows.size, step.columns.size),
        "offset_px": _both(_number(step.rows.start), _number(step.columns.start)),
        "whole_image": step.rows.everything or step.columns.everything,
        "exact": step.rows.exact and step.columns.exact,
        "apart_px": _both(*(_number(each) for each in step.apart_px)),
    }


def misaligned(walked: Walk) -> list[dict[str, Any]]:
    """Where paths meet whose windows are about different centres, and how far these lie apart in pixels."""
    return [
        {"name": step.name, "kind": step.kind, "apart_px": _both(*(_number(each) for each in step.apart_px))}
        for step in walked.steps
        if any(step.apart_px)
    ]


def _trunk(steps: Sequence[Step]) -> dict[str, Any]:
    last = steps[-1]
    return {"name": last.name, "size": list(last.size), **_field(last.rows, last.columns)}


def _field(rows: Trail, columns: Trail) -> dict[str, Any]:
    return {
        "stride": _both(_number(rows.stride), _number(columns.stride)),
        "compound_kernel": _maps(rows, columns, "kernel"),
        "smallest_input_px": _both(rows.smallest, columns.smallest),
        "receptive_field_px": _both(rows.size, columns.size),
        "whole_image": rows.everything or columns.everything,
        "exact": rows.exact and columns.exact,
        "padding_px": _both(_number(-rows.start), _number(-columns.start)),
        "centre_px": _both(float(rows.centre_px), float(columns.centre_px)),
    }


def _maps(rows: Trail, columns: Trail, key: str) -> Any:
    return _both(getattr(rows.sizes, key), getattr(columns.sizes, key)) if rows.sizes and columns.sizes else None


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _both(rows: Any, columns: Any) -> Any:
    return rows if rows == columns else [rows, columns]
