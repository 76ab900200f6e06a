"""The published trainings of the suites, as data: name -> fields of `train:`, every field in which recipes differ."""

from typing import Any

PAPER: dict[str, Any] = {
    "steps": 100_000,
    "batch": 1,
    "crop": "full",
    "optimizer": "sgd",
    "momentum": 0.99,
    "weight_decay": 5e-4,
    "bias_lr_factor": 2.0,
    "schedule": "constant",
    "warmup_steps": 0,
    "loss": "sum",
    "sampling": "replacement",
    "precision": "fp32",
}
"""Long, Shelhamer and Darrell's "heavy" learning, from the released solvers: one whole image a step, losses summed over pixels."""

RECIPES: dict[str, dict[str, Any]] = {
    # From VGG16, then each from the one before.
    "paper_32s": {**PAPER, "lr": 1e-10},
    "paper_16s": {**PAPER, "lr": 1e-12},
    "paper_8s": {**PAPER, "lr": 1e-14},
    # FCN-8s from VGG16 in one go, with its skips scaled.
    "paper_at_once": {**PAPER, "lr": 1e-10, "steps": 300_000},
    "modern": {
        "steps": 20_000,
        "batch": 16,
        "crop": 512,
        "optimizer": "sgd",
        "lr": 0.005,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "bias_lr_factor": 1.0,
        "schedule": "poly",
        "warmup_steps": 500,
        "loss": "mean",
        "sampling": "epochs",
        "precision": "bf16",
    },
}
"""Fields given beside a recipe's name win over it."""
