"""Several processes as one: what `accelerate launch` and `torchrun` start, on GPUs or CPUs.

Both say in the environment which process of how many this is; `accelerate` reads it and joins them.
Where nothing is said there is one process, and everything here does nothing.
"""

import atexit
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import torch
from torch import Tensor

from gdp_lite.tasks import pick_device

# One process may wait for another that long: the shares of an evaluation are not equally hard.
PATIENCE = timedelta(days=1)
_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


@dataclass(frozen=True)
class Processes:
    """This process among those that work together.

    Parameters
    ----------
    index : of this one, from 0.
    count : of all, on all machines.
    device : on which this one computes.

    Examples
    --------
    >>> alone = Processes(0, 1, "cpu")
    >>> alone.main, alone.share(10), alone.told("a")
    (True, (0, 10), 'a')
    >>> [Processes(index, 3, "cpu").share(10) for index in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    """

    index: int
    count: int
    device: str

    @classmethod
    def begin(cls, device: str = "auto") -> Self:
        """Join the others, if there are any.

        device: as torch names it, or "auto". Of several processes each takes a GPU of its own,
        where there are any; on CPUs they talk through gloo. ValueError for a device that is not
        here, and for one GPU told to all.
        """
        if max(int(os.environ.get(name) or 1) for name in _SIZES) == 1:
            if os.environ.get("MASTER_ADDR") and "ACCELERATE_USE_CPU" in os.environ:
                print(  # accelerate 1.15 without a GPU and without MPI
                    "accelerate started one process of several: without GPUs it takes --multi_gpu",
                    file=sys.stderr,
                )
            return cls(0, 1, pick_device(device))
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"each process takes a device of its own: say cuda, not {device}")
        asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
        cpu = device == "cpu" or asked or not torch.cuda.is_available()
        if cpu and device == "cuda":
            pick_device(device)  # says that there is none
        from accelerate import PartialState

        state = PartialState(cpu=cpu, timeout=PATIENCE)
        atexit.unregister(_leave)
        atexit.register(_leave)
        return cls(state.process_index, state.num_processes, str(state.device))

    @property
    def main(self) -> bool:
        """Whether this one writes files and speaks for all."""
        return self.index == 0

    def share(self, number: int) -> tuple[int, int]:
        """Of so many things the first and the one after the last that are this process's."""
        return number * self.index // self.count, number * (self.index + 1) // self.count

    def wrapped(self, network: torch.nn.Module) -> Any:
        """The network, whose gradients are then the means over all processes (DDP)."""
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        place = torch.device(self.device)
        return DistributedDataParallel(network, [place] if place.type == "cuda" else None)

    def apart(self, network: Any, last: bool) -> AbstractContextManager:
        """Gradients are gathered here until the last part of a batch, and only then exchanged."""
        return nullcontext() if last or self.count == 1 else network.no_sync()

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
        return values

    def told(self, value: Any = None) -> Any:
        """The main process's value, in all of them."""
        values = [value]
        if self.count > 1:
            place = torch.device(self.device)
            torch.distributed.broadcast_object_list(values, device=place)
        return values[0]

    def wait(self) -> None:
        """For all others."""
        self.told()


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
