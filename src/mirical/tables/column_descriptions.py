"""Descriptions of the columns of written tables, by name."""

from __future__ import annotations

DESCRIPTIONS: dict[str, str] = {
    "filter": "Band",
    "subarray": "Subarray",
    "mjd": "Epoch, MJD",
    "c_mean": "Mean calibration factor",
    "c_std": "Its error, one sigma: absolute, as far as 'errors' in the header says (of a "
    "posterior, half the central 68 % interval, and the flux scale in quadrature)",
    "c_relative_std": "What is left of c_std if flux scale and types of star were exact",
    "c_q16": "16 % quantile of the factor, absolute as c_std",
    "c_q84": "84 % quantile of the factor, absolute as c_std",
    "c_aperture_std": "Error by the aperture correction, in no other column",
    "basis": "What the number rests on: data, priors, the time law",
    "flux_scale_pct": "Part of the error of the flux scale, common to all stars and bands",
    "types_pct": "Part of the error of the flux scales of the types of star",
    "scale_pct": "Part of the error common to all bands",
    "colour_pct": "Part of the error of the band",
    "time_pct": "Part of the error of the response loss since the reference epoch",
    "subarray_pct": "Part of the error of the subarray's throughput",
    "repeatability_pct": "Scatter of single observations about the factor",
    "aperture_pct": "Part of the error of the aperture correction",
    "relative_pct": "Error by the calibration if flux scale and types of star were exact, 1 sigma",
    "absolute_pct": "Error of the flux by its calibration, of all parts, one sigma",
    "flux_calibrated": "Flux under the calibration",
    "flux_stat_std": "Its error without the calibration's, one sigma",
    "flux_cal_std": "Its absolute error by the calibration, one sigma",
    "flux_cal_relative_std": "The same if flux scale and types of star were exact",
    "c": "Calibration factor of the first calibration",
    "c_other": "Calibration factor of the second calibration",
    "c_other_std": "Its error, one sigma",
    "diff_pct": "Difference, percent of the second",
    "diff_sigma": "Difference in the errors of both combined",
    "quantity": "What is compared",
    "ours": "Value of the first calibration",
    "ours_std": "Its error, one sigma",
    "theirs": "Value of the second calibration",
    "theirs_std": "Its error, one sigma",
    "unit": "Unit of values and errors",
    "diff_q025_pct": "2.5 % quantile of the difference by the first calibration's error",
    "diff_q16_pct": "16 % quantile of the difference by the first calibration's error",
    "diff_q84_pct": "84 % quantile of the difference by the first calibration's error",
    "diff_q975_pct": "97.5 % quantile of the difference by the first calibration's error",
    "other_q16_pct": "16 % quantile of the second calibration about itself",
    "other_q84_pct": "84 % quantile of the second calibration about itself",
    # of a run's tables
    "A": "Factor after the response loss has decayed",
    "B": "Amplitude of the response loss at t0, MJD 59720",
    "tau": "Time constant of the response loss",
    "zero_point": "Magnitude of one count a second at the reference epoch",
    "zero_point_std": "Its error",
    "zero_point_relative_std": "The same if flux scale and types of star were exact",
    "C_ref": "Factor in the reference readout at the reference epoch",
    **{
        f"{name}_std": f"Error of {name}, one sigma: absolute, as far as 'errors' in the header "
        "says (half the central 68 % interval, and the flux scale in quadrature)"
        for name in ("A", "B", "C_ref")
    },
    "C_ref_relative_std": "What is left of C_ref_std if flux scale and types of star were exact",
    "sigma_cf_pct": "C_ref_std in percent of C_ref: absolute",
    "n_stars": "Stars with fitted rows",
    "published": "Published value",
    "published_std": "Its error where the paper states one",
    "c_q025": "2.5 % quantile of the factor",
    "c_q50": "Median of the factor",
    "c_q975": "97.5 % quantile of the factor",
    "within_data": "Whether the epoch lies between the band's first and last row",
    "row": "Row of the photometry table, counted from 1",
    "name": "Star",
    "PID": "JWST program",
    "srctype": "Type of the star",
    "time": "Mid-time, MJD",
    "iflux": "Count rate of the star in the aperture",
    "model_flux": "Predicted flux density of the star",
    "visit": "Rows of one name share a visit",
    "aperture_correction": "What the count rate is multiplied by for flux outside the aperture",
    "aperture_correction_unc": "Its relative error",
    "factor": "Calibration factor of the row, Eq. 3",
    "log_factor": "Its natural logarithm",
    "log_factor_unc": "Error of the logarithm by photometry and predicted flux",
    "fate": "Whether the row was fitted",
    "flag": "Why it was not, in a word",
    "reason": "Why it was not, in a sentence",
    "residual_sigma": "Residual in standard deviations of a sound row",
    "outlier_probability": "Posterior probability that the row is an outlier",
    "observed": "Observed factor about the median predicted one",
    "q025": "2.5 % quantile of predicted rows about their median",
    "q16": "16 % quantile of predicted rows about their median",
    "q50": "Median of predicted rows about itself",
    "q84": "84 % quantile of predicted rows about their median",
    "q975": "97.5 % quantile of predicted rows about their median",
    "tail": "Share of predicted rows below the observed one",
    "factor_full": "Factor of the row brought to the reference readout",
    "factor_full_std": "Its error, one sigma",
    "offset_pct": "Offset of the predicted flux, positive: predicted too bright",
    "term": "Term of the model",
    "of": "Date of a step, MJD, or name of a reduction",
    "effect_pct": "Effect on C; of a slope, that of a decade",
    "largest_colour_band": "Band of the star's strongest colour term",
    "largest_colour_pct": "Offset of the predicted flux in that band beside the star's own",
    "n_rows": "Number of fitted rows",
    "n_bands": "Number of bands with fitted rows",
    "D": "Throughput relative to the reference readout",
    # of checks and rival models
    "check": "What was checked",
    "question": "What the check asks",
    "z": "Score in standard deviations",
    "parameter": "What the factor may depend on",
    "sigma": "Slope in its error",
    "rows": "Number of rows",
    "pareto_k": "Shape of the largest importance weights: above the limit not to be trusted",
    "flux": "Predicted flux density, mJy",
    "background": "Background, DN/s/pixel",
    "rate": "Brightest pixel, DN/s",
    "well": "Fill of the brightest pixel's well, DN",
    "inttime": "Integration time, s",
    "model": "Card of the model",
    "title": "What the card calls itself",
    "law": "Time law of the model",
    "elpd_se": "Standard error of the elpd",
    "weight": "Weight in the stack of models",
    "cut_mjd": "Date that rows used for the prediction lie before, MJD",
    "rows_before": "Rows before the date",
    "rows_after": "Rows after the date, which are predicted",
    "total": "Sum of the parts",
    "biggest": "The largest part",
}
"""What a column holds, by its name, where the table itself does not say it."""


def description(name: str) -> str:
    """Return what a column holds; an error's or a basis's by the column it belongs to."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    for ending, what in _OF_ANOTHER.items():
        of = name.removesuffix(ending)
        if of != name:
            return f"{what} {of}"
    return ""


_OF_ANOTHER = {
    "_basis": "What the number rests on:",
    "_std": "Error, one sigma (of a posterior, half the central 68 % interval), of",
    "_unc": "Error, one sigma, of",
}
