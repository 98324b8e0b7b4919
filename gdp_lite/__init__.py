"""gdp_lite: restore photos by guided sampling from a diffusion prior.

The package that the book builds, one module per idea, in the book's order: `schedule` and
`diffusion` (Eqs. 2-5), `prior` and `train` (the network), `degradations` (Eq. 1), `losses`
(Eqs. 8-9), `sampler` (Algorithm 1 and its practical form), then `photos`, `tasks`, `cli`.
"""

__version__ = "0.1.0"
