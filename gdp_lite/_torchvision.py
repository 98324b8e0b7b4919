"""Make ``import torchvision`` work beside a torch of another build.

diffusers and lpips import torchvision. Where torch is a CPU build and torchvision the
registry's CUDA build, that import fails with "operator torchvision::nms does not exist",
because the compiled library could not be loaded and the operator's schema is missing.
Nothing in this project calls a compiled torchvision operator, so the schema is enough.
"""

import importlib
import sys

_kept_alive: list = []  # a torch.library.Library unregisters its operators when it is collected


def repair_torchvision() -> None:
    """Import torchvision; on exactly the error above, define the missing schemas and retry.

    Call before the first import of diffusers or lpips. Does nothing where torchvision
    is absent or imports cleanly.
    """
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept_alive.append(library)
        importlib.import_module("torchvision")
