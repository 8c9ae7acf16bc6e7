r"""The same density with its linear part integrated out, and drawn again exactly.

Given the response loss, the scales and the rows' variances r_i, the rows are

    y_i = z_i - ln[C(t_i)/A] = (sum of the offsets of row i) + N(0, r_i),

a sum of normals. Let w_i = 1/r_i. Everything needed of a set of effects e (one
value per visit, star cell, cell, ...) is its log density as a quadratic form

    -1/2 [ e' W e - 2 h' e + constant ],

which starts as W = diag(w), h = w y, constant = sum w y^2 + ln(2 pi r). A term
whose effect is B u with u ~ N(m, 1) is integrated out by completing the
square. With P = 1 + B' W B, G = P^-1 B' W and c = P^-1 (B' h + m),

    W <- W - W B G      h <- h - G' (B' h + m)      (effects that stay: e + B u)
    constant <- constant + m' m - (B' h + m)' c + ln |P|

and u given the effects that stay is N(c - G e, P^-1). Nothing is inverted but
P, so a scale may be zero, and W may be singular (padded slots).

The terms nest, so each step is small, and their order is that of the blocks:

    visit        one number a visit, rows of one star; P is a number
    star         gray and colour offsets of one star (1 + its own bands numbers)
    type         one number a type, after the stars' W and h are summed by cell
    departure    ln D of a cell about its subarray's, one number a cell
    global       ln A of each band and ln D of each subarray

The cost is linear in rows and in stars. A row that went wrong has variance
r_i + width^2; which rows did is redrawn between the sampler's steps.

The derivatives of a step are written out (`_absorb_backward`) rather than left
to differentiation through the factor of P: with A = 1 - B G they are products
of the matrices above, and cost no more than the step itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float
from numpyro import handlers

from mirical.model.blocks import Blocks, StarGroup
from mirical.model.cards import Card
from mirical.model.design import Data, Design
from mirical.model.offsets import Offsets, Scales
from mirical.model.terms import Given, given

_LOG_2PI = 1.8378770664093453
_AT_ONCE = 64
"""Matrices factored in one call. XLA splits larger batches over the threads of a pool that
also runs the callers, and with all of its threads calling, each waits for the others for ever."""


class Form(NamedTuple):
    """A quadratic form in the effects: see the module's first lines."""

    weight: Float[Array, "*batch effect effect"]
    pull: Float[Array, "*batch effect"]


class Absorbed(NamedTuple):
    """An integrated term: the distribution of its u given the effects that stayed.

    Attributes
    ----------
    centre : (..., unit) array
        Mean where the effects are zero.
    gain : (..., unit, effect) array
        What each unit of effect takes off it.
    root : (..., unit, unit) array
        Cholesky factor of the precision.
    """

    centre: Float[Array, "*batch unit"]
    gain: Float[Array, "*batch unit effect"]
    root: Float[Array, "*batch unit unit"]

    def draw(self, key: jax.Array, effects: Float[Array, "*batch effect"]) -> Array:
        """Draw u given the effects that stayed."""
        noise = jax.random.normal(key, self.centre.shape)
        return self.centre - _times(self.gain, effects) + solve(self.root, noise, transposed=True)


def _times(matrix: Array, vector: Array) -> Array:
    return jnp.einsum("...ij,...j->...i", matrix, vector)


def _transposed(matrix: Array) -> Array:
    return jnp.swapaxes(matrix, -1, -2)


def _outer(one: Array, two: Array) -> Array:
    return one[..., :, None] * two[..., None, :]


def solve(
    root: Float[Array, "*batch unit unit"],
    right: Float[Array, "*batch unit"],
    *,
    transposed: bool = False,
) -> Float[Array, "*batch unit"]:
    """Solve a triangular system for one vector a matrix."""

    def each(pair: tuple[Array, Array]) -> Array:
        return solve_triangular(pair[0], pair[1][..., None], lower=True, trans=transposed)[..., 0]

    return _few_at_once(each, (root, right))


def _few_at_once(function: Callable[..., Any], batch: tuple[Array, ...]) -> Any:
    """Apply a function of stacked matrices to `_AT_ONCE` of them at a time."""
    if batch[0].ndim < 3 or batch[0].shape[0] <= _AT_ONCE:
        return function(batch)
    return jax.lax.map(function, batch, batch_size=_AT_ONCE)


def _factor(pair: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the Cholesky factor L of a matrix and (L L')^-1 times the columns beside it."""
    precision, right = pair
    root = jnp.linalg.cholesky(precision, symmetrize_input=False)
    half = solve_triangular(root, right, lower=True)
    return root, solve_triangular(root, half, lower=True, trans=1)


@jax.custom_vjp
def _absorb(
    form: Form, basis: Float[Array, "*batch effect unit"], mean: Float[Array, "*batch unit"]
) -> tuple[Form, Float[Array, ""], Absorbed]:
    """Integrate out u ~ N(mean, 1) from effects ``basis @ u``.

    Returns
    -------
    Form
        Of the effects that stay.
    scalar array
        c' (B' h + m) - ln|P|, summed over the batch.
    Absorbed
        For drawing u; carries no derivative.
    """
    return _absorb_forward(form, basis, mean)[0]


def _absorb_forward(form: Form, basis: Array, mean: Array) -> tuple[Any, Any]:
    n_effects, n_units = basis.shape[-2:]
    weighted = _transposed(basis) @ form.weight
    precision = jnp.eye(n_units) + weighted @ basis
    pull = _times(_transposed(basis), form.pull) + mean
    unit = jnp.broadcast_to(jnp.eye(n_units), precision.shape)
    right = jnp.concatenate([weighted, pull[..., None], unit], axis=-1)
    root, solved = _few_at_once(_factor, (precision, right))
    gain, centre, inverse = jnp.split(solved, [n_effects, n_effects + 1], axis=-1)
    centre = centre[..., 0]
    left = Form(
        form.weight - _transposed(weighted) @ gain, form.pull - _times(_transposed(gain), pull)
    )
    logs = jnp.log(jnp.diagonal(root, axis1=-2, axis2=-1))
    evidence = jnp.sum(centre * pull) - 2 * jnp.sum(logs)
    rest = form.pull - _times(form.weight, _times(basis, centre))
    return (left, evidence, Absorbed(centre, gain, root)), (
        basis,
        left,
        gain,
        centre,
        inverse,
        rest,
    )


def _absorb_backward(kept: Any, cotangents: Any) -> tuple[Form, Array, Array]:
    """Return the derivatives by W, h, B and m; S and s are those by the new W and h."""
    basis, left, gain, centre, inverse, rest = kept
    (by_weight, by_pull), by_evidence, _ = cotangents
    by_weight = 0.5 * (by_weight + _transposed(by_weight))
    stay = jnp.eye(basis.shape[-2]) - basis @ gain  # A = 1 - B G
    effect = _times(basis, centre)
    stayed = _times(stay, by_pull)
    crossed = _outer(stayed, effect)
    spread = basis @ inverse @ _transposed(basis) + _outer(effect, effect)
    to_weight = stay @ by_weight @ _transposed(stay) - by_evidence * spread
    to_weight = to_weight - 0.5 * (crossed + _transposed(crossed))
    to_pull = stayed + 2 * by_evidence * effect
    pulled = _times(gain, by_pull)
    to_basis = (
        -2 * (left.weight @ by_weight @ _transposed(gain))
        - _outer(_times(left.weight, by_pull), centre)
        - _outer(rest, pulled)
        + 2 * by_evidence * (_outer(rest, centre) - _transposed(gain))
    )
    return Form(to_weight, to_pull), to_basis, 2 * by_evidence * centre - pulled


_absorb.defvjp(_absorb_forward, _absorb_backward)


class OfGroup(NamedTuple):
    """What was integrated for the stars of one group: their visits, and their own offsets."""

    weight: Float[Array, "member turn slot"]
    pull: Float[Array, "member turn slot"]
    visit_gain: Float[Array, "member turn"]
    star: Absorbed


class OfTypes(NamedTuple):
    """The distribution of the types' offsets given the cells' effects, one number each.

    Attributes
    ----------
    variance, pull : (srctype,) array
        Variance, and the pull of the rows where the effects are zero.
    weight : (srctype, cell) array
        What each cell's effect takes off that pull.
    """

    variance: Float[Array, " srctype"]
    pull: Float[Array, " srctype"]
    weight: Float[Array, "srctype cell"]


class Integrated(NamedTuple):
    """Every term integrated out, outermost last, and the log marginal density of the rows."""

    log_density: Float[Array, ""]
    groups: tuple[OfGroup, ...]
    types: OfTypes
    departure: Absorbed
    level: Absorbed


def collapsed(
    design: Design,
    blocks: Blocks,
    outlier: Float[Array, " row"],
    tightness: Float[Array, " star"],
    *,
    card: Card,
) -> None:
    """Model of the rows with every offset integrated out.

    Parameters
    ----------
    design : Design
        The rows.
    blocks : Blocks
        Their sparse structure.
    outlier : (row,) array
        One for a row that went wrong, zero for a sound one.
    tightness : (star,) array
        The stars' ``colour_tightness``.
    card : Card
        Terms in use and their priors.
    """
    known = handlers.condition(given, data={"colour_tightness": tightness})(design, card)
    if known.outlier_fraction is not None:
        chosen = dist.Bernoulli(probs=known.outlier_fraction).log_prob(outlier)
        numpyro.factor("outlier", jnp.sum(chosen))
    rows = design.log_factor - known.loss_effect
    marginal = integrate(design, blocks, known.scales, rows, row_variance(known, outlier))
    numpyro.factor("rows", marginal.log_density)


def row_variance(known: Given, outlier: Float[Array, " row"]) -> Float[Array, " row"]:
    """Return the rows' variances about their expectations, given which rows went wrong."""
    if known.outlier_width is None:
        return known.sigma**2
    return known.sigma**2 + outlier * known.outlier_width**2


def integrate(
    design: Design,
    blocks: Blocks,
    scales: Scales,
    rows: Float[Data, " row"],
    variance: Float[Array, " row"],
) -> Integrated:
    """Integrate all offsets out of the rows y = z - ln[C(t)/A] of given variances."""
    # About the bands' means, so that the squares do not cancel to noise; ln D about its own.
    reference = band_means(design)
    y = rows - reference[design.band] + jnp.asarray(scales.subarray_mean)[design.subarray]
    weight = 1 / variance
    evidence = -jnp.sum(weight * y**2 + jnp.log(variance) + _LOG_2PI)

    n_cells = len(blocks.cell_band)
    cells = Form(jnp.zeros((n_cells, n_cells)), jnp.zeros(n_cells))
    types = Form(jnp.zeros((len(design.types), n_cells)), jnp.zeros(len(design.types)))
    groups = []
    weights, pulls = blocks.by_group(weight), blocks.by_group(weight * y)
    for group, of_weight, of_pull in zip(blocks.groups, weights, pulls, strict=True):
        gain, form, by_visits = _absorb_visits(of_weight, of_pull, scales)
        basis = _star_basis(design, group, scales)
        form, by_stars, star = _absorb(form, basis, jnp.zeros_like(basis[:, 0]))
        cells, types = _add(cells, types, design, group, form)
        evidence += by_visits + by_stars
        groups.append(OfGroup(of_weight, of_pull, gain, star))
    cells, by_types, of_types = _absorb_types(cells, types, scales)
    basis = _departure_basis(blocks, scales)
    cells, by_departures, departure = _absorb(cells, basis, jnp.zeros(basis.shape[1]))
    mean = _level_mean(design, scales, reference)
    _, by_level, level = _absorb(cells, _level_basis(design, blocks, scales), mean)
    evidence += by_types + by_departures + by_level - jnp.sum(mean**2)
    return Integrated(0.5 * evidence, tuple(groups), of_types, departure, level)


def redraw(
    key: jax.Array, design: Design, blocks: Blocks, scales: Scales, integrated: Integrated
) -> Offsets:
    """Draw every offset from its distribution given the rows, outermost term first."""
    keys = jax.random.split(key, 7)
    n_bands, n_stars, others = len(design.bands), len(design.stars), len(design.subarrays) - 1
    unit = integrated.level.draw(keys[0], jnp.zeros(len(blocks.cell_band)))
    log_a = band_means(design) + scales.factor * unit[:n_bands]
    off_mean = jnp.concatenate([jnp.zeros(1), scales.subarray * unit[n_bands:]])
    effect = _level_basis(design, blocks, scales) @ unit
    # Cells without rows have no part in the density: their departures keep the prior.
    prior = scales.subarray_band * jax.random.normal(keys[1], (n_bands, others))
    departure = jnp.pad(prior, ((0, 0), (1, 0)))
    basis = _departure_basis(blocks, scales)
    observed = basis @ integrated.departure.draw(keys[2], effect)
    departure = departure.at[blocks.cell_band, blocks.cell_subarray].set(-observed)
    effect = effect + observed
    by_type = _draw_types(keys[3], integrated.types, effect)

    colours = jax.random.normal(keys[4], (n_stars, n_bands))
    star, visit = jnp.zeros(n_stars), jnp.zeros(len(design.visits))
    star_band, flux = jnp.zeros((n_stars, n_bands)), jnp.zeros((n_stars, n_bands))
    for number, (group, done) in enumerate(zip(blocks.groups, integrated.groups, strict=True)):
        star_key, visit_key = jax.random.split(jax.random.fold_in(keys[5], number))
        at_slots = effect[group.slot_cell] + by_type[design.star_type[group.star]][:, None]
        unit = done.star.draw(star_key, at_slots)
        at_slots = at_slots + _times(_star_basis(design, group, scales), unit)
        n_own = group.own_band.shape[1]
        colour = _times(jnp.asarray(group.colour_root), unit[:, 1 : 1 + n_own])
        colour = _all_bands(group, blocks.colour_correlation, colour, colours[group.star])
        star = star.at[group.star].set(scales.star * unit[:, 0])
        star_band = star_band.at[group.star].set(scales.colour[group.star][:, None] * colour)
        if design.states_flux_unc:
            own = _own_unc(design, group) * unit[:, 1 + n_own :]
            flux = flux.at[group.star[:, None], group.own_band].set(own, mode="drop")
        drawn = _draw_visits(visit_key, done, at_slots)
        visit = visit.at[group.visit].set(drawn, mode="drop")
    return Offsets(
        log_a=log_a,
        subarray=jnp.asarray(scales.subarray_mean) + off_mean,
        subarray_band=departure,
        type=by_type,
        star=star,
        star_band=star_band,
        flux=flux,
        visit=visit,
    )


def _absorb_visits(
    weight: Float[Array, "member turn slot"], pull: Float[Array, "member turn slot"], scales: Scales
) -> tuple[Float[Array, "member turn"], Form, Float[Array, ""]]:
    """Integrate out each visit's number; return its posterior variance, the stars' form, c'c."""
    precision = 1 + scales.visit**2 * weight.sum(-1)
    gain = scales.visit**2 / precision
    visit_pull = pull.sum(-1)
    evidence = jnp.sum(gain * visit_pull**2) - jnp.sum(jnp.log(precision))
    shared = gain[..., None] * weight
    own = weight.sum(1)[:, :, None] * jnp.eye(weight.shape[-1])
    left = pull.sum(1) - jnp.sum(shared * visit_pull[..., None], 1)
    return gain, Form(own - _transposed(shared) @ weight, left), evidence


def _draw_visits(
    key: jax.Array, done: OfGroup, effect: Float[Array, "member slot"]
) -> Float[Array, "member turn"]:
    pull = jnp.sum(done.pull - done.weight * effect[:, None, :], axis=-1)
    noise = jax.random.normal(key, pull.shape)
    return done.visit_gain * pull + jnp.sqrt(done.visit_gain) * noise


def _star_basis(
    design: Design, group: StarGroup, scales: Scales
) -> Float[Array, "member slot unit"]:
    """Return the effect on a star's slots of its gray, colour and stated-error numbers."""
    n_members, n_slots = group.slot_cell.shape
    gray = jnp.full((n_members, n_slots, 1), 1.0) * scales.star
    at_slots = jnp.take_along_axis(
        jnp.asarray(group.colour_root), group.slot_own[:, :, None], axis=1
    )
    columns = [gray, scales.colour[group.star][:, None, None] * at_slots]
    if design.states_flux_unc:
        n_own = group.own_band.shape[1]
        mine = group.slot_own[:, :, None] == jnp.arange(n_own)
        columns.append(mine * _own_unc(design, group)[:, None, :])
    return jnp.concatenate(columns, axis=-1)


def _own_unc(design: Design, group: StarGroup) -> Float[Array, "member own"]:
    """Return the stated fractional errors of the predicted fluxes in the stars' own bands."""
    band = jnp.minimum(group.own_band, len(design.bands) - 1)
    return jnp.asarray(design.flux_unc)[group.star[:, None], band]


def _all_bands(
    group: StarGroup,
    correlation: Float[Data, "band band"],
    own: Float[Array, "member own"],
    normal: Float[Array, "member band"],
) -> Float[Array, "member band"]:
    """Draw colours of unit size in all bands given those in the stars' own.

    A draw from the prior is moved by what its own bands miss, times the
    regression on them: conditional normals without a matrix for each star.
    """
    prior = normal @ jnp.linalg.cholesky(jnp.asarray(correlation)).T
    padded = jnp.pad(jnp.asarray(correlation), ((0, 0), (0, 1)))
    among = padded[:, group.own_band].swapaxes(0, 1)  # (member, band, own)
    missed = own - jnp.pad(prior, ((0, 0), (0, 1)))[jnp.arange(len(own))[:, None], group.own_band]
    root = jnp.asarray(group.colour_root)
    return prior + _times(among, solve(root, solve(root, missed), transposed=True))


def _add(
    cells: Form, types: Form, design: Design, group: StarGroup, form: Form
) -> tuple[Form, Form]:
    """Add the stars' forms to that of the cells, and their margins to those of their types."""
    place = group.slot_cell
    kind = jnp.asarray(design.star_type)[group.star]
    margin = form.weight.sum(-1)
    return (
        Form(
            cells.weight.at[place[:, :, None], place[:, None, :]].add(form.weight),
            cells.pull.at[place].add(form.pull),
        ),
        Form(
            types.weight.at[kind[:, None], place].add(margin),
            types.pull.at[kind].add(form.pull.sum(-1)),
        ),
    )


def _absorb_types(
    cells: Form, types: Form, scales: Scales
) -> tuple[Form, Float[Array, ""], OfTypes]:
    """Integrate out one number a type; the types' forms hold the margins of their stars'."""
    precision = 1 + scales.type**2 * types.weight.sum(-1)
    variance = scales.type**2 / precision
    shared = variance[:, None] * types.weight
    left = Form(cells.weight - types.weight.T @ shared, cells.pull - shared.T @ types.pull)
    evidence = jnp.sum(variance * types.pull**2) - jnp.sum(jnp.log(precision))
    return left, evidence, OfTypes(variance, types.pull, types.weight)


def _draw_types(
    key: jax.Array, types: OfTypes, effect: Float[Array, " cell"]
) -> Float[Array, " srctype"]:
    noise = jax.random.normal(key, types.variance.shape)
    mean = types.variance * (types.pull - types.weight @ effect)
    return mean + jnp.sqrt(types.variance) * noise


def _departure_basis(blocks: Blocks, scales: Scales) -> Float[Array, "cell unit"]:
    """Return the effect on the cells of each cell's own departure, none in FULL."""
    departing = jnp.asarray(blocks.departing)
    full = jnp.asarray(blocks.cell_subarray)[departing] == 0
    n_units = len(departing)
    own = jnp.where(full, 0.0, scales.subarray_band)
    return jnp.zeros((len(blocks.cell_band), n_units)).at[departing, jnp.arange(n_units)].set(own)


def _level_basis(design: Design, blocks: Blocks, scales: Scales) -> Float[Array, "cell unit"]:
    """Return the effect on the cells of ln A of each band and ln D of each subarray."""
    in_band = jnp.asarray(blocks.cell_band)[:, None] == jnp.arange(len(design.bands))
    subarrays = jnp.arange(1, len(design.subarrays))
    in_subarray = jnp.asarray(blocks.cell_subarray)[:, None] == subarrays
    return jnp.concatenate([in_band * scales.factor, in_subarray * -scales.subarray], axis=1)


def _level_mean(
    design: Design, scales: Scales, reference: Float[Array, " band"]
) -> Float[Array, " unit"]:
    """Return the prior mean of ln A about the bands' means, in its prior's widths."""
    others = jnp.zeros(len(design.subarrays) - 1)
    return jnp.concatenate([(scales.factor_mean - reference) / scales.factor, others])


def band_means(design: Design) -> Float[Array, " band"]:
    """Return the mean log factor of each band's rows."""
    n_bands = len(design.bands)
    count = jnp.zeros(n_bands).at[design.band].add(1.0)
    return jnp.zeros(n_bands).at[design.band].add(design.log_factor) / count
