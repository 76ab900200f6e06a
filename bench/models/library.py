"""The networks of segmentation-models-pytorch and of torchvision, by their names and keywords."""

import os
import warnings
from inspect import signature
from typing import Any

from torch import nn

from bench.errors import BenchError, nearest
from bench.models.fitted import Fitted, build_for_real
from bench.models.weights import read_weights
from bench.specs import SmpSpec, TorchvisionSpec


def build_smp(spec: SmpSpec, num_classes: int) -> Fitted:
    """An architecture of segmentation-models-pytorch; nothing is fetched unless ``encoder_weights`` asks for it.

    Raises BenchError for an encoder or an option the library does not have, and for weights that cannot be had.
    """
    smp = _smp()
    _known_encoder(smp, spec)
    _known_options(smp, spec)
    label = f"smp {spec.arch} with {spec.encoder}"
    # Vision transformers are built for one size of image, unless they are told to resize their position embeddings.
    options = {"dynamic_img_size": True, **spec.options} if spec.arch == "dpt" else spec.options
    given = (
        spec.encoder_weights if spec.encoder_weights and not spec.encoder.startswith("tu-") else bool(spec.encoder_weights) or None
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated names of encoders still mean what they say
            network = build_for_real(
                lambda: smp.create_model(
                    spec.arch, encoder_name=spec.encoder, encoder_weights=given, in_channels=3, classes=num_classes, **options
                )
            )
    except (TypeError, KeyError, ValueError, AttributeError, NotImplementedError, AssertionError) as error:
        raise BenchError(f"{label} cannot be built: {_first(error)}") from error
    except (OSError, RuntimeError) as error:
        if not spec.encoder_weights:
            raise BenchError(f"{label} cannot be built: {_first(error)}") from error
        raise BenchError(
            f"the weights {spec.encoder_weights!r} of {spec.encoder} are not in {_hub()} and could not be downloaded "
            f"({_first(error)}). Build the model where there is a network and copy that folder, or leave `encoder_weights` out."
        ) from error
    return Fitted(network, label, num_classes)


def build_torchvision(spec: TorchvisionSpec, num_classes: int) -> Fitted:
    """A segmentation network of torchvision with its main output alone; raises BenchError for weights that cannot be had."""
    from torchvision.models import segmentation

    # Without the auxiliary classifier, whose loss is not trained here.
    options = {} if spec.arch.startswith("lraspp") else {"aux_loss": False}
    network = getattr(segmentation, spec.arch)(weights=None, weights_backbone=None, num_classes=num_classes, **options)
    if spec.weights:
        _load_trunk(network.backbone, spec.arch.partition("_")[2])
    return Fitted(network, f"torchvision {spec.arch}", num_classes, output="out")


def _load_trunk(trunk: nn.Module, backbone: str) -> None:
    """Give a trunk its part of a classifier's file; names in the file may begin with `features.`."""
    state = {name.removeprefix("features."): value for name, value in read_weights(backbone).items()}
    wanted = trunk.state_dict()
    absent = [name for name, value in wanted.items() if name not in state or state[name].shape != value.shape]
    if absent:
        raise BenchError(f"the ImageNet weights of {backbone} do not fit its trunk: {absent[0]} is absent or of another shape")
    trunk.load_state_dict({name: state[name] for name in wanted}, assign=True)
    for parameter in trunk.parameters():
        parameter.requires_grad_(True)


def encoder_names() -> list[str]:
    """The encoders that segmentation-models-pytorch lists; beside them it takes `tu-` and any name of timm's."""
    return sorted(_smp().encoders.encoders)


def _known_encoder(smp: Any, spec: SmpSpec) -> None:
    import timm

    name = spec.encoder
    known = list(smp.encoders.encoders)
    if name.startswith("tu-"):
        models = timm.list_models()
        if name[3:].partition(".")[0] not in models:
            raise BenchError(f"no encoder {name!r}.{nearest(name, [f'tu-{each}' for each in models])} `tu-` takes timm's names.")
    elif name not in known and not name.startswith("timm-"):
        raise BenchError(
            f"no encoder {name!r}.{nearest(name, known)} Known are {', '.join(known)}, and `tu-` with a name of timm's."
        )


def _known_options(smp: Any, spec: SmpSpec) -> None:
    """The library passes what it does not know to the encoder, and its own encoders drop it without a word."""
    built = smp.MODEL_ARCHITECTURES_MAPPING[spec.arch]
    own = {"encoder_name", "encoder_weights", "in_channels", "classes", "kwargs"}
    known = set(signature(built).parameters) - own
    for option in spec.options:
        if option not in known and (option in own or not spec.encoder.startswith("tu-")):
            raise BenchError(
                f"smp {spec.arch} has no option {option!r}.{nearest(option, known)} It has {', '.join(sorted(known))}."
            )


def _smp() -> Any:
    # Slow to import, and so only where it is wanted.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import segmentation_models_pytorch as smp
    return smp


def _hub() -> str:
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return os.environ.get("HF_HUB_CACHE", f"{home}/hub")


def _first(error: BaseException) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__
