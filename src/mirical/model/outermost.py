r"""The outermost terms, integrated out together: ln A, ln D of a subarray, ln D of a cell about it.

Every cell (a band in a subarray) has three units at most: its band's ln A, its subarray's ln D and
its own departure. With O the matrix of ones, minus ones and zeros that says which, and w the
units' prior widths, the effects of the cells are O w u, u ~ N(m, 1), and all that is needed of the
rows is N = O' W O and l = O' h (`gather`). With P = 1 + w N w and c = P^-1 (w l + m),

    log density = 1/2 [ c' (w l + m) - ln |P| ] + ...      u given the rows is N(c, P^-1)

O is never multiplied by: its columns are sums over cells, and its rows three entries.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

from mirical.model.design import Data, Design
from mirical.model.nesting import Blocks
from mirical.model.offsets import Scales
from mirical.model.quadratic_forms import Form


class Places(NamedTuple):
    """Which units each cell has.

    Attributes
    ----------
    sums : (common, cell) array
        Ones and minus ones: the bands' cells, then those of each subarray but the reference.
    departing : (departing,) int array
        The cell of each departure.
    units : (3, cell) int array
        Band, subarray and departure of each cell among all units; one past the last for none.
    """

    sums: Float[Array, "common cell"]
    departing: Int[Data, " departing"]
    units: Int[Array, "3 cell"]

    def at_cells(self, of_units: Float[Array, "*unit"]) -> Float[Array, "*cell"]:
        """Return O times a vector of the units, or a matrix with a row each."""
        none = jnp.zeros_like(of_units[:1])
        band, subarray, departure = jnp.concatenate([of_units, none])[self.units]
        return band - subarray + departure


class Units(NamedTuple):
    """The outermost units given the rows: N(centre, (root root')^-1)."""

    centre: Float[Array, " unit"]
    root: Float[Array, "unit unit"]

    def draw(self, key: jax.Array) -> Float[Array, " unit"]:
        """Draw all of them."""
        noise = jax.random.normal(key, self.centre.shape)
        return self.centre + solve_triangular(self.root, noise, lower=True, trans=1)


def places(design: Design, blocks: Blocks) -> Places:
    """Return which units the cells of some blocks have."""
    band, subarray = jnp.asarray(blocks.cell_band), jnp.asarray(blocks.cell_subarray)
    n_bands, others = len(design.bands), jnp.arange(1, len(design.subarrays))
    in_band = band == jnp.arange(n_bands)[:, None]
    in_subarray = subarray == others[:, None]
    first = n_bands + len(others)
    departing = blocks.departing
    none = first + len(departing)
    departure = jnp.full(len(band), none).at[departing].set(first + jnp.arange(len(departing)))
    reference = subarray == 0
    units = jnp.stack(
        [
            band,
            jnp.where(reference, none, n_bands + subarray - 1),
            jnp.where(reference, none, departure),
        ]
    )
    sums = jnp.concatenate([in_band.astype(float), -in_subarray.astype(float)])
    return Places(sums, departing, units)


def widths(design: Design, blocks: Blocks, scales: Scales) -> Float[Array, " unit"]:
    """Return the prior widths of all units; the reference has no departure."""
    departing = jnp.asarray(blocks.departing)
    reference = jnp.asarray(blocks.cell_subarray)[departing] == 0
    common = jnp.full(len(design.subarrays) - 1, 1.0) * scales.subarray
    return jnp.concatenate([scales.factor, common, jnp.where(reference, 0.0, scales.subarray_band)])


@jax.custom_vjp
def gather(form: Form, where: Places) -> Form:
    """Return the quadratic form of the cells' effects as one of the units', O' W O and O' h."""
    return _gather_forward(form, where)[0]


def _gather_forward(form: Form, where: Places) -> tuple[Form, Places]:
    def by_unit(of_cells: Array) -> Array:
        return jnp.concatenate([where.sums @ of_cells, of_cells[where.departing]])

    return Form(by_unit(by_unit(form.weight).T), by_unit(form.linear)), where


def _gather_backward(where: Places, by: Form) -> tuple[Form, Any]:
    to_weight = where.at_cells(where.at_cells(by.weight).T)
    return Form(to_weight, where.at_cells(by.linear)), _none(where)


gather.defvjp(_gather_forward, _gather_backward)


@jax.custom_vjp
def conclude(
    form: Form, width: Float[Array, " unit"], mean: Float[Array, " unit"]
) -> tuple[Float[Array, ""], Units]:
    """Integrate out the units, u ~ N(mean, 1) with effects ``width * u``.

    Returns
    -------
    scalar array
        c' (w l + m) - ln|P|.
    Units
        For drawing u; carries no derivative.
    """
    return _conclude_forward(form, width, mean)[0]


def _conclude_forward(form: Form, width: Array, mean: Array) -> tuple[Any, Any]:
    unit = jnp.eye(len(width))
    linear = width * form.linear + mean
    precision = unit + width[:, None] * form.weight * width
    root = jnp.linalg.cholesky(precision, symmetrize_input=False)
    half = solve_triangular(root, unit, lower=True)
    inverse = half.T @ half
    centre = inverse @ linear
    evidence = centre @ linear - 2 * jnp.sum(jnp.log(jnp.diagonal(root)))
    return (evidence, Units(centre, root)), (form, width, centre, inverse)


def _conclude_backward(kept: Any, cotangents: Any) -> tuple[Form, Array, Array]:
    form, width, centre, inverse = kept
    by_evidence, _ = cotangents
    second = inverse + centre[:, None] * centre  # E[u u']
    weighted = width[:, None] * second
    to_width = form.linear * centre - jnp.sum(form.weight * weighted, axis=0)
    to_form = Form(-by_evidence * weighted * width, 2 * by_evidence * width * centre)
    return to_form, 2 * by_evidence * to_width, 2 * by_evidence * centre


conclude.defvjp(_conclude_forward, _conclude_backward)


def _none(tree: Any) -> Any:
    """Return the derivatives by what has none."""
    return jax.tree.map(
        lambda leaf: (
            jnp.zeros_like(leaf)
            if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
            else np.zeros(jnp.shape(leaf), jax.dtypes.float0)
        ),
        tree,
    )
