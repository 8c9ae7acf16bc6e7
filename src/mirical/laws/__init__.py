"""Time laws: how a calibration factor changes with time, the paper's law and the pipeline's."""
