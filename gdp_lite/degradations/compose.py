"""Several things went wrong: one degradation after another."""

from functools import reduce
from typing import Self

from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from gdp_lite.degradations.base import Degradation
from gdp_lite.degradations.solvers import Map
from gdp_lite.policy import composed


class Compose(Degradation):
    """One degradation after another, in the order in which the camera applies them.

    Phi is that of all stages, ``phi()`` names it stages.0.width and so on. A stage whose Phi is
    known, ``stage.requires_grad_(False)``, keeps it while the others' is guessed and learned.

    Parameters
    ----------
    stages : degradations. Only the last may add noise: noise that a later map would blur is not
        white any more, and no step of the sampler models that.

    Raises
    ------
    ValueError : for noise before the last stage, and where there is nothing to compose.

    Examples
    --------
    >>> from gdp_lite.degradations import Clip, GaussianBlur
    >>> Compose(GaussianBlur(5, 1.0), Clip(sigma=0.02)).describe()
    'GaussianBlur, width 1.0 pixels; then Clip, noise 5.1 of 255'
    """

    def __init__(self, *stages: Degradation):
        if not stages:
            raise ValueError("nothing to compose")
        if not all(isinstance(stage, Degradation) for stage in stages):
            raise ValueError("only degradations can be composed, as Compose(first, second)")
        if any(stage.sigma for stage in stages[:-1]):
            raise ValueError("only the last of composed degradations may have noise")
        super().__init__()
        self.stages: list[Degradation] = nn.ModuleList(stages)  # type: ignore[assignment]  # typed
        self.linear = all(stage.linear for stage in stages)
        self.pointwise = all(stage.pointwise for stage in stages)
        self.rounds = any(stage.rounds for stage in stages)
        self.noise_only = all(stage.noise_only for stage in stages)
        self.kind = stages[-1].kind if self.noise_only else composed(s.kind for s in stages)

    @property  # type: ignore[misc]  # follows from the stages, is not set
    def sigma(self) -> float:
        return self.stages[-1].sigma

    def A(self, x: Tensor) -> Tensor:
        for stage in self.stages:
            x = stage.A(x)
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        for stage in reversed(self.stages):
            y = stage.A_adjoint(y)
        return y

    def linearise(self, x: Tensor) -> tuple[Tensor, Map, Map]:
        """Stage by stage: most know their derivative better than autograd does."""
        pushes: list[Map] = []
        pulls: list[Map] = []
        for stage in self.stages:
            x, push, pull = stage.linearise(x)
            pushes, pulls = [*pushes, push], [pull, *pulls]

        def chained(maps: list[Map]) -> Map:
            return lambda v: reduce(lambda v, step: step(v), maps, v)

        return x, chained(pushes), chained(pulls)

    def prox(self, x: Tensor, y: Tensor, rho: float) -> Tensor:
        with parametrize.cached():  # a blind kernel is computed once, not for every product
            return super().prox(x, y, rho)

    def simulate(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        for stage in self.stages[:-1]:
            x = stage.A(x)
        return self.stages[-1].simulate(x, generator)

    def describe(self) -> str:
        return "; then ".join(stage.describe() for stage in self.stages)

    def randomise(self, generator: Generator | None = None) -> Self:
        for stage in self.stages:
            if not known(stage):
                stage.randomise(generator)
        return self

    def guess(self, y: Tensor, sigma: float, generator: Generator | None, light: bool) -> None:
        """Each stage from the photo as it was before the stages after it, roughly."""
        for stage in reversed(self.stages):
            if not known(stage):
                stage.initialise(y, sigma, generator, light)
            y = stage.start(y).detach()

    def check_measurement(self, y: Tensor) -> None:
        for stage in reversed(self.stages):
            stage.check_measurement(y)
            y = stage.start(y).detach()

    def start(self, y: Tensor) -> Tensor:
        for stage in reversed(self.stages):
            y = stage.start(y)
        return y


def known(degradation: Degradation) -> bool:
    """Whether it has a Phi and none of it is to be learned."""
    phi = list(degradation.parameters())
    return bool(phi) and not any(p.requires_grad for p in phi)
