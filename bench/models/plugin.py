"""Models of users' own code, named `package.module:function` in a suite. Building one imports and runs it, where permitted."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from bench.errors import BenchError, nearest
from bench.models.fitted import ODD, Fitted, build_for_real
from bench.models.shapes import run_on_shapes
from bench.registry import own_module
from bench.specs import PluginSpec


def build(spec: PluginSpec, num_classes: int) -> nn.Module:
    """What ``function(num_classes=..., **options)`` returns, behind our contract: any size, output stride measured.

    The function may be a class. A module that has ``output_stride`` and ``margin`` itself is run once on shapes and taken as it is.
    Raises BenchError, naming the function, for code that is not permitted and for whatever goes wrong in it.
    """
    name, (module_name, _, function_name) = spec.name, spec.name.partition(":")
    module = _running(name, f"importing {module_name}", lambda: own_module("model", name))
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise BenchError(f"{name}: {module_name} has no function {function_name!r}.{nearest(function_name, known)}")
    model = _running(name, function_name, lambda: build_for_real(lambda: function(num_classes=num_classes, **spec.options)))
    if not isinstance(model, nn.Module):
        raise BenchError(f"{name}: {function_name} returned a {type(model).__name__}, expected a torch.nn.Module")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise BenchError(f"{name}: {function_name} returned a module without a parameter to train; use one that has some")
    if hasattr(model, "output_stride") and hasattr(model, "margin"):
        _keeps_the_contract(model, name, num_classes)
        return model
    fitted: nn.Module = _running(name, f"what {function_name} returned", lambda: Fitted(model, name, num_classes))
    return fitted


def _running(name: str, what: str, run: Callable[[], Any]) -> Any:
    """Run code of others; whatever it raises, leaving the program included, becomes a BenchError."""
    try:
        return run()
    except BenchError:
        raise
    except ModuleNotFoundError as error:
        raise BenchError(
            f"{name}: no module {error.name!r}. Install it, or name the folder it lies in: PYTHONPATH=DIR bench ..."
        ) from error
    except (Exception, SystemExit) as error:
        raise BenchError(f"{name}: {what} failed: {type(error).__name__}: {error}") from error


def _keeps_the_contract(model: nn.Module, name: str, num_classes: int) -> None:
    """Raise BenchError for attributes that are no numbers of pixels, and for logits of another shape than they promise."""
    for attribute, least in (("output_stride", 1), ("margin", 0)):
        value = getattr(model, attribute)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise BenchError(f"{name}: {attribute} is {value!r}, expected a whole number of pixels from {least}")
    margin: Any = model.margin
    given = [side + 2 * margin for side in ODD]
    made = _running(name, "a run on shapes", lambda: run_on_shapes(model, given))
    expected = (1, num_classes, *ODD)
    if not isinstance(made, Tensor) or tuple(made.shape) != expected:
        found = f"{tuple(made.shape)}" if isinstance(made, Tensor) else f"a {type(made).__name__}"
        raise BenchError(
            f"{name} gives {found} for an image of {given[0]}x{given[1]} px, expected {expected}: height and width less {margin} "
            "px a side. Leave out output_stride and margin, and images are padded, scores cropped and the stride measured for you."
        )
