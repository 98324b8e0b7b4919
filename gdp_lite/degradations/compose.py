"""Several things went wrong: one degradation after another."""

from torch import nn

from gdp_lite.degradations.base import Degradation, known
from gdp_lite.policy import widest


class Compose(Degradation):
    """One degradation after another, in the order in which the camera applies them.

    Phi is that of all stages, ``phi()`` names it stages.0.width and so on. A stage whose Phi is
    known, ``stage.requires_grad_(False)``, keeps it while the others' is guessed and learned.

    Only the last may add noise, ValueError else: noise that a later map would blur is not white
    any more, and no step of the sampler models that.
    """

    def __init__(self, *stages):
        if not stages:
            raise ValueError("nothing to compose")
        if not all(isinstance(stage, Degradation) for stage in stages):
            raise ValueError("only degradations can be composed, as Compose(first, second)")
        if any(stage.sigma for stage in stages[:-1]):
            raise ValueError("only the last of composed degradations may have noise")
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.linear = all(stage.linear for stage in stages)
        self.pointwise = all(stage.pointwise for stage in stages)
        self.noise_only = all(stage.noise_only for stage in stages)
        self.kind = stages[-1].kind if self.noise_only else widest(s.kind for s in stages)

    @property
    def sigma(self):
        return self.stages[-1].sigma

    def A(self, x):
        for stage in self.stages:
            x = stage.A(x)
        return x

    def A_adjoint(self, y):
        for stage in reversed(self.stages):
            y = stage.A_adjoint(y)
        return y

    def simulate(self, x, generator=None):
        for stage in self.stages[:-1]:
            x = stage.A(x)
        return self.stages[-1].simulate(x, generator)

    def describe(self) -> str:
        return "; then ".join(stage.describe() for stage in self.stages)

    def randomise(self, generator=None):
        for stage in self.stages:
            if not known(stage):
                stage.randomise(generator)
        return self

    def initialise(self, y, sigma=None, generator=None, light=False):
        """Each stage from the photo as it was before the stages after it, roughly."""
        sigma = self.sigma if sigma is None else sigma
        for stage in reversed(self.stages):
            if not known(stage):
                stage.initialise(y, sigma, generator, light)
            y = stage.start(y).detach()
        return self

    def check_measurement(self, y):
        for stage in reversed(self.stages):
            stage.check_measurement(y)
            y = stage.start(y).detach()

    def start(self, y):
        for stage in reversed(self.stages):
            y = stage.start(y)
        return y
