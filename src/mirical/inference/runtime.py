"""How JAX runs: double precision, and threads that chains do not fight over."""

from __future__ import annotations

import os


def configure() -> None:
    """Switch JAX to float64 and to one thread a computation; call before sampling.

    Chains run side by side, one a core, so XLA's own threads would only
    contend. The flag counts if JAX has not started its CPU client yet.
    """
    flag = "--xla_cpu_multi_thread_eigen=false"
    flags = os.environ.get("XLA_FLAGS", "")
    if flag not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {flag}".strip()

    import jax

    jax.config.update("jax_enable_x64", True)
    # Run a compiled function in the thread that calls it: the chains' threads then run at once.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
