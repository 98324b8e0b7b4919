"""gdp_lite: restore photos by guided sampling from a diffusion prior.

The package that the book builds, one module per idea, in the book's order: `schedule` and
`diffusion` (Eqs. 2-5), `mixture` (a prior that is known exactly), `prior`, `train` and `tiling`
(the network), `degradations` (Eq. 1) with `noise`, `blur`, `resolution`, `occlusion`, `colour`,
`light` and `jpeg` (each with its Phi, kept in range by `phi`; what one photo tells of it in
`kernel_search` and `anchors`), `losses` and `perceptual` (Eqs. 8-9), `sampler` (Algorithm 1 and
its practical form), then `photos`, `tasks`, `cli`.
"""

__version__ = "0.1.0"
