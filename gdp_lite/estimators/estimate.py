"""A number that a photo tells, and how well it tells it."""


class Estimate(float):
    """A number, and how well it is known.

    Parameters
    ----------
    value : the number, as which it behaves.
    std : standard deviation of its error, in the same unit.

    Examples
    --------
    >>> width = Estimate(1.5, std=0.1)
    >>> width + 1, width.std
    (2.5, 0.1)
    """

    std: float

    def __new__(cls, value: float, std: float) -> "Estimate":
        number = super().__new__(cls, value)
        number.std = float(std)
        return number

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]  # two arguments
        return float(self), self.std
