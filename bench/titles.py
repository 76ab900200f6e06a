"""The heads of columns."""

from bench.layout import Layout
from bench.pieces import published

TITLES = {
    "rank": "#",
    "model": "Model",
    "dataset": "Data",
    "augmentation": "Augmentation",
    "fraction": "Data share",
    "output_stride": "Stride",
    "receptive_field_px": "Field px",
    "miou": "mIoU %",
    "boundary_iou": "Boundary IoU %",
    "miou_of_ceiling": "% of ceiling",
    "boundary_iou_of_ceiling": "Boundary, % of ceiling",
    "trimap_iou_3px": "Trimap IoU 3 px %",
    "boundary_f1": "BF score %",
    "davis_f": "DAVIS F %",
    "fwiou": "fwIoU %",
    "pixel_accuracy": "Pixel accuracy %",
    "mean_accuracy": "Mean accuracy %",
    "images_per_s": "Images/s",
    "latency_ms": "Latency ms",
    "latency_p95_ms": "Latency p95 ms",
    "peak_memory_gib": "Memory GiB",
    "parameters": "Parameters",
    "flops": "FLOPs",
    "train_images": "Training images",
    "p_leader": "p against the best",
    "seeds": "Seeds",
    "status": "Status",
}


def title(column: str, layout: Layout | None = None) -> str:
    """The head of a column."""
    metric = published(column)
    shown = f"Published {TITLES[metric]}" if metric else TITLES.get(column, column)
    return shown if layout is None or layout.percent else shown.removesuffix(" %").replace("% of", "share of")


def score_name(metric: str) -> str:
    """A score in a sentence."""
    return TITLES[metric].removesuffix(" %")
