"""Models of users' own code, named `package.module:function` in a suite. Building one imports and runs it."""

from importlib import import_module

from torch import nn

from bench.errors import BenchError, nearest
from bench.models.fitted import Fitted, build_for_real
from bench.specs import PluginSpec


def build(spec: PluginSpec, num_classes: int) -> nn.Module:
    """What ``function(num_classes=..., **options)`` returns, behind our contract: any size, output stride measured.

    The function may be a class. A module that has ``output_stride`` and ``margin`` itself is taken as it is. Raises BenchError,
    naming the function, for whatever goes wrong in it.
    """
    module_name, _, function_name = spec.name.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise BenchError(
            f"{spec.name}: no module {error.name!r}. Install it, or name the folder it lies in: PYTHONPATH=DIR bench ..."
        ) from error
    except Exception as error:  # whatever code of others may raise
        raise BenchError(f"{spec.name}: importing {module_name} failed: {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise BenchError(f"{spec.name}: {module_name} has no function {function_name!r}.{nearest(function_name, known)}")
    try:
        model = build_for_real(lambda: function(num_classes=num_classes, **spec.options))
    except Exception as error:
        raise BenchError(f"{spec.name}: {function_name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise BenchError(f"{spec.name}: {function_name} returned a {type(model).__name__}, expected a torch.nn.Module")
    if hasattr(model, "output_stride") and hasattr(model, "margin"):
        return model
    return Fitted(model, spec.name, num_classes)
