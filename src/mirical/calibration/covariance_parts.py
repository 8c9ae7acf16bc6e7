"""Decomposition of a factor's covariance into parts that add up, by successive regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirical.calibration.calibration import TYPES
from mirical.calibration.draws import Draws
from mirical.calibration.factors import Query
from mirical.inference.quoted_errors import normal_image

Floats = NDArray[np.float64]

REST = "subarray"
"""Name of what is left after all stages."""

_NUMBERS_AT_ONCE = 1_000_000  # draws times points that are computed together: 8 MB an array
_EXACT, _EPOCHS = 200, 6  # points whose own epochs make up the part of time; else epochs a band
_NODES = 200  # epochs of one band and subarray
_NEGLIGIBLE = 1e-7  # of the largest singular value: directions that are but rounding


def directions(stages: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return orthonormal directions (draw, direction) in which each stage adds to those before.

    Parameters
    ----------
    stages : mapping of {str : (draw, explaining) array}
        What explains, in order.
    """
    found: dict[str, Floats] = {}
    for name, stage in stages.items():
        centred = stage - stage.mean(axis=0)
        before = np.hstack([centred[:, :0], *found.values()])
        new = centred - before @ (before.T @ centred)
        vectors, sizes, _ = np.linalg.svd(new, full_matrices=False)
        found[name] = vectors[:, sizes > _NEGLIGIBLE * float(np.linalg.norm(centred))]
    return found


def variance_parts(draws: Floats, along: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the diagonals of what `covariance_parts` returns, given the stages' `directions`."""
    left = draws - draws.mean(axis=0)
    degrees = len(draws) - 1
    whole = np.sum(left**2, axis=0) / degrees
    parts = {name: np.sum((axes.T @ left) ** 2, axis=0) / degrees for name, axes in along.items()}
    rest = whole - np.sum(list(parts.values()), axis=0)
    # What is left of nothing but rounding is nothing.
    parts[REST] = np.where(rest > 1e-12 * whole, rest, 0.0)
    return parts


def covariance_parts(draws: Floats, stages: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the covariance of some quantities as a sum of parts.

    Each stage's part is the covariance of what is linearly predicted from the stage's
    quantities out of what earlier stages left (as for Gaussians, by the law of total
    covariance); the rest follows under `REST`. All parts are covariances, and add up to that of
    the draws.

    Parameters
    ----------
    draws : (draw, quantity) array
        The quantities.
    stages : mapping of {str : (draw, explaining) array}
        What explains them, in order.
    """
    left = draws - draws.mean(axis=0)
    degrees = len(draws) - 1
    parts = {}
    for name, axes in directions(stages).items():
        share = axes @ (axes.T @ left)
        parts[name] = share.T @ share / degrees
        left = left - share
    parts[REST] = left.T @ left / degrees
    return parts


def _share(draws: Floats, stage: Floats) -> Floats:
    """Return the share of each variance that a stage explains, as `variance_parts` does.

    By sums without a library of linear algebra, whose idle threads take more time than a stored
    run takes to be asked for a factor.
    """
    left, centred = draws - draws.mean(axis=0), stage - stage.mean(axis=0)
    sizes, axes = np.linalg.eigh(np.einsum("nk,nl->kl", centred, centred))
    kept = sizes > _NEGLIGIBLE**2 * sizes.sum()
    along = axes[:, kept].T @ np.einsum("nk,np->kp", centred, left)
    explained = np.sum(along**2 / sizes[kept, None], axis=0)
    whole = np.einsum("np,np->p", left, left)
    share = np.divide(explained, whole, out=np.zeros(len(whole)), where=whole > 0)
    return np.minimum(share, 1.0)


@dataclass(frozen=True)
class FactorParts:
    """Parts of the relative covariance of a run's factors, given an exact flux scale.

    Types is what goes along with the offsets of the types of star, gray and in the bands asked
    for; scale what is left and goes along with the mean of ln C over all bands of the run at the
    reference epoch and readout; colour what is left and goes along with each band's; time what is
    left and goes along with ln C in the reference readout at the points' epochs; subarray the
    rest, which is the throughput's. The parts add up to the covariance, and each is one; all of
    them are of normal scores, as quoted errors are (`inference.quoted_errors`).

    Attributes
    ----------
    run_draws : Draws
        The run's.
    factors : callable
        Given a query, all draws of its factors under an exact flux scale, (draw, point).
    reference : Query
        All bands of the run in the reference readout, at the epoch of scale and colour.
    """

    run_draws: Draws
    factors: Callable[[Query], Floats]
    reference: Query

    @property
    def at_once(self) -> int:
        """Points whose draws are in memory at once."""
        sizes = self.run_draws.sizes
        return max(1, _NUMBERS_AT_ONCE // (sizes["chain"] * sizes["draw"]))

    def covariances(self, query: Query) -> dict[str, Floats]:
        """Return every part, (point, point)."""
        image = normal_image(np.log(self.factors(query)))
        return covariance_parts(image, self._stages(query))

    def variances(self, query: Query) -> dict[str, Floats]:
        """Return the diagonals of `covariances`, a few points at a time.

        Many epochs of one band and subarray are interpolated between `_NODES` over their range.
        """
        return self._everywhere(query, self._variances)

    def types_share(self, query: Query) -> Floats:
        """Return the share of types in each point's variance, (point,)."""
        if not self.has_types:
            return np.zeros(len(query))
        return self._everywhere(query, self._types_share)[TYPES]

    @property
    def has_types(self) -> bool:
        """Whether the run has offsets of the types of star."""
        return any(map(self.run_draws.has, ("type_offset", "type_band_offset")))

    def types(self, query: Query) -> dict[str, Floats]:
        """Return the stage of the types of star, normal scores, by its name; none without them."""
        found = []
        if self.run_draws.has("type_offset"):
            found.append(self.run_draws.flat("type_offset"))
        if self.run_draws.has("type_band_offset"):
            fitted = self.run_draws.labels("band")
            bands = [fitted.index(band) for band in dict.fromkeys(query.filters)]
            drawn = self.run_draws.flat("type_band_offset")[..., bands]
            found.append(drawn.reshape(len(drawn), -1))
        return {TYPES: normal_image(np.hstack(found))} if found else {}

    def _everywhere(
        self, query: Query, of: Callable[[Query], dict[str, Floats]]
    ) -> dict[str, Floats]:
        """Return what a function says of points, many epochs interpolated; see `variances`."""
        return self._interpolated(query, of) if len(query) > _EXACT else of(query)

    def _interpolated(
        self, query: Query, function: Callable[[Query], dict[str, Floats]]
    ) -> dict[str, Floats]:
        pairs = np.array([f"{b} {a}" for b, a in zip(query.filters, query.terms, strict=True)])
        names, of = np.unique(pairs, return_inverse=True)
        nodes = []
        for i in range(len(names)):
            mjd = np.unique(query.mjd[of == i])
            nodes.append(mjd if len(mjd) <= _NODES else np.linspace(mjd[0], mjd[-1], _NODES))
        sizes = [len(mjd) for mjd in nodes]
        bands, terms = zip(*(name.split() for name in names), strict=True)
        points = Query(
            tuple(np.repeat(bands, sizes).tolist()),
            tuple(np.repeat(terms, sizes).tolist()),
            np.concatenate(nodes),
            query.instrument,
        )
        at_nodes = {
            name: np.split(part, np.cumsum(sizes)[:-1]) for name, part in function(points).items()
        }
        found = {name: np.empty(len(query)) for name in at_nodes}
        for i, mjd in enumerate(nodes):
            for name, parts in at_nodes.items():
                found[name][of == i] = np.interp(query.mjd[of == i], mjd, parts[i])
        return found

    def _variances(self, query: Query) -> dict[str, Floats]:
        along = directions(self._stages(query))
        found = [variance_parts(image, along) for image in self._images(query)]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def _types_share(self, query: Query) -> dict[str, Floats]:
        stage = self.types(query)[TYPES]
        return {TYPES: np.concatenate([_share(image, stage) for image in self._images(query)])}

    def _images(self, query: Query) -> Iterator[Floats]:
        """Yield normal scores of ln C, a few points at a time."""
        for points in query.in_pieces(self.at_once):
            yield normal_image(np.log(self.factors(points)))

    def _stages(self, query: Query) -> dict[str, Floats]:
        """Return normal scores of what explains the factors, stage by stage.

        Of more than `_EXACT` points the epochs of a band are stood for by `_EPOCHS` over their
        range: ln C(t) between them is what they predict.
        """
        fitted = self.run_draws.labels("band")
        bands, instrument = list(dict.fromkeys(query.filters)), query.instrument
        at_reference = np.log(self.factors(self.reference))
        in_bands = at_reference[:, [fitted.index(band) for band in bands]]
        if len(query) > _EXACT:
            mine = [query.mjd[np.array(query.filters) == band] for band in bands]
            filters = np.repeat(bands, _EPOCHS)
            mjd = np.ravel([np.linspace(of.min(), of.max(), _EPOCHS) for of in mine])
        else:
            filters, mjd = np.array(query.filters), query.mjd
        in_full = np.log(self.factors(Query.of(instrument, filters, instrument.reference, mjd)))
        stages = {
            "scale": at_reference.mean(axis=1, keepdims=True),
            "colour": in_bands,
            "time": in_full,
        }
        return self.types(query) | {name: normal_image(of) for name, of in stages.items()}
