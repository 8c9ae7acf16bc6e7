"""One factor a band, and the label of simulated rows, as notebooks show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirical.html_text import table

if TYPE_CHECKING:
    from mirical.calibration.calibration import Calibration


def factors_html(answers: Calibration) -> str:
    """Return a table of the factors at the reference epoch, with errors and what they rest on."""
    answer = answers.factor(answers.bands, answers.instrument.reference, answers.reference_mjd)
    basis = answers.basis(answer.query)
    columns = answer.mean, answer.std, 100 * answer.relative_std / answer.mean
    lines = [
        (band, f"{mean:.5g}", f"{std:.2g}", f"{relative:.2f}", rests)
        for band, mean, std, relative, rests in zip(answers.bands, *columns, basis, strict=True)
    ]
    caption = (
        f"{label(answers.simulated)}calibration factors C in {answer.unit.to_string()}, "
        f"{answers.instrument.reference}, MJD {answers.reference_mjd:.1f}"
    )
    return table(caption, ("band", "C", "±", "± relative (%)", "rests on"), lines)


def label(simulated: bool) -> str:
    """Return ``"SIMULATED "`` for what rests on simulated rows, else nothing."""
    return "SIMULATED " if simulated else ""
