"""A prior about which everything is known: a mixture of Gaussians.

Introduced in the chapters on the network and on the reverse step; the yardstick of all later
ones. Noise makes a mixture of a mixture, and so does a linear measurement, so the exact noise
predictor, the exact reverse step and the exact posterior are closed formulas, against which
every approximation can be measured.

Points are float64 tensors of shape (B, d), in model range where they stand for images.
"""

import math

import torch

from gdp_lite.diffusion import check_time, predict_eps
from gdp_lite.image import to_display, to_model
from gdp_lite.schedule import NoiseSchedule


class GaussianMixture:
    """p(x) = sum_k w_k N(x; m_k, C_k) on R^d.

    weights: (K,), positive, made to sum to 1. means: (K, d). covs: (K, d, d), symmetric and
    positive definite. Raises ValueError where the shapes or the values do not fit.
    """

    def __init__(self, weights, means, covs):
        weights, self.means, self.covs = (
            torch.as_tensor(v, dtype=torch.float64) for v in (weights, means, covs)
        )
        K, d = self.means.shape
        if weights.shape != (K,) or self.covs.shape != (K, d, d):
            raise ValueError(f"{K} means in {d} dimensions need weights (K,) and covs (K, d, d)")
        if not bool((weights > 0).all()):
            raise ValueError("weights must be positive")
        self.weights = weights / weights.sum()
        self._roots, info = torch.linalg.cholesky_ex(self.covs)
        if bool(info.any()):
            raise ValueError("covs must be positive definite")

    def sample(self, count, generator=None):
        """(count, d) independent draws."""
        k = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        z = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        return self.means[k] + torch.einsum("bij,bj->bi", self._roots[k], z)

    def log_prob(self, x):
        """log p(x), shape (B,)."""
        return self._log_joint(x).logsumexp(dim=1)

    def responsibilities(self, x):
        """p(component k | x), shape (B, K)."""
        return self._log_joint(x).softmax(dim=1)

    def moments(self):
        """Mean (d,) and covariance (d, d) of the whole mixture."""
        return _moments(self.weights[None], self.means[None], self.covs[None], single=True)

    def noised(self, t, schedule):
        """The mixture p(x_t): Eq. (2) scales means and covariances and adds (1 - alpha_bar_t) I.

        t: an int in 0..T.
        """
        alpha_bar = schedule.alpha_bar[check_time(t, schedule, first=0)]
        eye = torch.eye(self.means.shape[1], dtype=torch.float64)
        covs = alpha_bar * self.covs + (1 - alpha_bar) * eye
        return GaussianMixture(self.weights, alpha_bar.sqrt() * self.means, covs)

    def given(self, y, H, sigma, M=0.0):
        """The mixture p(x | y) for y = H x + M + n, n ~ N(0, sigma^2 I).

        y: (m,). H: (m, d). sigma: standard deviation, above 0. M: (m,) or a number.
        Since y depends on x_t through x_0 alone, ``given(...)`` is the prior of a diffusion
        that knows y: its `x0_mean` is E[x_0 | x_t, y], its `eps` the exact guided noise.
        """
        H, y = (torch.as_tensor(v, dtype=torch.float64) for v in (H, y))
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        residual = y - M - self.means @ H.T
        S = H @ self.covs @ H.T + sigma**2 * torch.eye(len(y), dtype=torch.float64)
        gain = torch.linalg.solve(S, H @ self.covs).mT  # C H^T S^-1, S symmetric
        means = self.means + torch.einsum("kdm,km->kd", gain, residual)
        covs = self.covs - gain @ H @ self.covs
        log_weights = self.weights.log() + _log_normal(residual, torch.linalg.cholesky(S))
        return GaussianMixture(log_weights.softmax(dim=0), means, (covs + covs.mT) / 2)

    def x0_moments(self, x_t, t, schedule):
        """E[x_0 | x_t], shape (B, d), and Cov(x_0 | x_t), shape (B, d, d)."""
        alpha_bar = schedule.alpha_bar[check_time(t, schedule)]
        noisy = self.noised(t, schedule)
        gain = alpha_bar.sqrt() * torch.linalg.solve(noisy.covs, self.covs).mT
        residual = x_t[:, None] - noisy.means
        means = self.means + torch.einsum("kij,bkj->bki", gain, residual)
        covs = self.covs - alpha_bar.sqrt() * gain @ self.covs
        return _moments(noisy.responsibilities(x_t), means, covs.expand(len(x_t), -1, -1, -1))

    def x0_mean(self, x_t, t, schedule):
        """E[x_0 | x_t], shape (B, d): what Eq. (5) gives with the exact noise predictor."""
        return self.x0_moments(x_t, t, schedule)[0]

    def eps(self, x_t, t, schedule):
        """E[eps | x_t], shape (B, d): the network that training can at best reach."""
        return predict_eps(x_t, t, self.x0_mean(x_t, t, schedule), schedule)

    def __call__(self, x, sigma):
        """E[x_0 | x_0 + sigma n = x]: a `gdp_lite.prior.Denoiser`, exact.

        x: images (B, C, H, W), display range, each one point of d = C H W numbers; with d = 1
        every number is a point of its own. sigma: one float, display range.
        """
        points = to_model(x.double()).reshape(-1, self.means.shape[1])
        # x_t = sqrt(alpha_bar) x on the schedule that has this level alone.
        schedule = NoiseSchedule.from_betas([4 * sigma**2 / (1 + 4 * sigma**2)])
        x_t = schedule.alpha_bar[1].sqrt() * points
        return to_display(self.x0_mean(x_t, 1, schedule)).reshape(x.shape).to(x)

    def _log_joint(self, x):
        return self.weights.log() + _log_normal(x[:, None] - self.means, self._roots)


def _log_normal(residual, root):
    """log N(residual; 0, root root^T) over the last axis."""
    white = torch.linalg.solve_triangular(root, residual[..., None], upper=False)[..., 0]
    log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    d = residual.shape[-1]
    return -0.5 * white.square().sum(-1) - log_det - 0.5 * d * math.log(2 * math.pi)


def _moments(weights, means, covs, single=False):
    """Mean and covariance of mixtures: weights (B, K), means (B, K, d), covs (B, K, d, d)."""
    mean = torch.einsum("bk,bki->bi", weights, means)
    away = means - mean[:, None]
    cov = torch.einsum("bk,bkij->bij", weights, covs)
    cov = cov + torch.einsum("bk,bki,bkj->bij", weights, away, away)
    return (mean[0], cov[0]) if single else (mean, cov)
