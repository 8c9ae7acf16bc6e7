"""The model as it reads on paper: the sum of its terms and one likelihood line."""

from __future__ import annotations

import numpyro

from mirical.model import terms
from mirical.model.cards import Card
from mirical.model.design import Design


def joint(design: Design, card: Card, *, observed: bool = True) -> None:
    """Hierarchical model of the rows' log calibration factors.

    z_i = ln C_b(t_i) - ln D_ab + delta_s + eta_sb + nu_v + eps_i,
    C_b(t) = A_b + B_b exp(-(t - t0) / tau_b)          (paper Eqs. 3 and 4)

    Parameters
    ----------
    design : Design
        The rows.
    card : Card
        Terms in use and their priors.
    observed : bool
        Condition on the rows' log factors; False draws them from the model.
    """
    effects = (
        terms.response_loss(design, card)
        - terms.subarray_throughput(design, card)
        + terms.star_offset(design, card)
        + terms.star_band_offset(design, card)
        + terms.stated_flux_error(design)
        + terms.visit_offset(design, card)
    )
    expected = terms.factor_level(design, card, effects) + effects
    sigma = terms.repeatability(design, card)
    rows = terms.observation(card, expected, sigma)
    numpyro.deterministic("expected", expected)
    numpyro.deterministic("sigma", sigma)
    with numpyro.plate("row", len(design.rows)):
        numpyro.sample("log_factor", rows, obs=design.log_factor if observed else None)
