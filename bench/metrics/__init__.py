"""The table of numbers a result may hold. Importing it imports neither torch nor numpy."""

from bench.registry import MetricEntry

METRICS: dict[str, MetricEntry] = {
    "miou": MetricEntry(
        summary="Mean over classes of intersection over union, from counts summed over the split (FCN's convention)",
        unit="",
        higher_is_better=True,
    ),
    "fwiou": MetricEntry(
        summary="Intersection over union averaged with the classes' share of the true pixels as weights",
        unit="",
        higher_is_better=True,
    ),
    "pixel_accuracy": MetricEntry(summary="Share of labelled pixels that are right", unit="", higher_is_better=True),
    "mean_accuracy": MetricEntry(
        summary="Mean over the classes in the truth of the share of their pixels that are right",
        unit="",
        higher_is_better=True,
    ),
    "boundary_iou": MetricEntry(
        summary="Mean over classes of the IoU of the bands inside the masks' contours (Cheng et al. 2021); the width is stored",
        unit="",
        higher_is_better=True,
    ),
    "trimap_iou_3px": MetricEntry(
        summary="mIoU over the pixels at most 3 px from a pixel of another true class (chessboard distance)",
        unit="",
        higher_is_better=True,
    ),
    "boundary_f1": MetricEntry(
        summary="BF score (Csurka et al. 2013): F1 of contour pixels closer than 0.75 % of the diagonal, image edge counted",
        unit="",
        higher_is_better=True,
    ),
    "davis_f": MetricEntry(
        summary="Contour F-measure as in DAVIS (Perazzi et al. 2016): tolerance 0.8 % of the diagonal, image edge not counted",
        unit="",
        higher_is_better=True,
    ),
    "images_per_s": MetricEntry(
        summary="Throughput of the forward pass at the suite's batch size", unit="images/s", higher_is_better=True
    ),
    "latency_ms": MetricEntry(summary="Median time of a forward pass of one image", unit="ms", higher_is_better=False),
    "latency_p95_ms": MetricEntry(
        summary="95th percentile of the time of a forward pass of one image", unit="ms", higher_is_better=False
    ),
    "parameters": MetricEntry(summary="Number of trainable and fixed weights", unit="", higher_is_better=False),
    "flops": MetricEntry(
        summary="Floating-point operations of a forward pass of one image, 2 x multiply-accumulates, interpolation counted",
        unit="FLOPs",
        higher_is_better=False,
    ),
    "peak_memory_gib": MetricEntry(
        summary="Peak memory of the throughput's forward pass, 2^30 bytes each",
        unit="GiB",
        higher_is_better=False,
    ),
    "output_stride": MetricEntry(
        summary="Stride of the finest grid on which class scores are computed before pure interpolation",
        unit="px",
        higher_is_better=False,
    ),
    "receptive_field_px": MetricEntry(
        summary="Side of the input window that one score at the output stride depends on",
        unit="px",
        higher_is_better=True,
    ),
}
