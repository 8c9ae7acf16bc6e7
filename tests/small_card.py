"""The smallest card: factors and repeatabilities alone."""

from __future__ import annotations

CARD = """
[term.factor.prior.A]
distribution = "log-normal"
median = 1.0
spread = 1.0
unit = "(MJy/sr)/(DN/s/pixel)"
reason = "test"

[term.repeatability.prior.repeatability_median]
distribution = "log-normal"
median = 0.004
spread = 0.6
unit = "1"
reason = "test"

[term.repeatability.prior.repeatability_spread]
distribution = "half-normal"
scale = 0.5
unit = "1"
reason = "test"

[term.repeatability.prior.repeatability_limit]
distribution = "fixed"
value = 0.05
unit = "1"
reason = "test"
"""
