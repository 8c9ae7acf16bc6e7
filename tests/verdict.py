"""A verdict of chains that agree, made by hand."""

from __future__ import annotations

from mirical.chains.verdict import Verdict

VERDICT = Verdict(
    believable=True,
    sentences=("The chains agree and the draws may be used.",),
    worst_rhat=1.0042,
    worst_rhat_of="A[F560W]",
    min_ess_bulk=1753.4,
    min_ess_bulk_of="B[F770W]",
    min_ess_tail=612.6,
    min_ess_tail_of="tau[F770W]",
    min_bfmi=0.81,
    divergences=0,
    draws=1000,
    chains=4,
    mean_steps=15.2,
    error_noise=0.013,
    error_noise_of="tau[F560W]",
    mean_noise=0.021,
    mean_noise_of="A[F770W]",
    target_ess=1000,
    target_ess_tail=400,
    stopping=("Draws were made until every reported quantity had 1000 effective draws.",),
)
