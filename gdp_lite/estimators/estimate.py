"""A number that a photo tells, and how well it tells it."""


class Estimate(float):
    """A float with the standard deviation of its error, ``std``, in the same unit.

    >>> width = Estimate(1.5, std=0.1)
    >>> width + 1, width.std
    (2.5, 0.1)
    """

    std: float

    def __new__(cls, value: float, std: float) -> "Estimate":
        number = super().__new__(cls, value)
        number.std = float(std)
        return number

    def __getnewargs__(self):
        return float(self), self.std
