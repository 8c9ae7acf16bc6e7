"""The paper's staged point fits: time law, subarray ratios, averages over stars."""
