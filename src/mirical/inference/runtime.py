"""JAX settings: double precision, threads, compilation cache, random keys."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from mirical.compiled.files import cache_folder
from mirical.many.processes import cores

if TYPE_CHECKING:
    import jax
    import numpy as np
    from numpy.typing import NDArray

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
_PLAIN_KERNELS = "--xla_cpu_use_fusion_emitters=false"
_KNOWN_TO = "0.10."  # releases of jaxlib that know the second flag; XLA aborts on an unknown one


PACKAGES = "jax", "jaxlib", "numpyro", "numpy", "scipy", "arviz-stats"
"""Libraries on whose versions the draws of a fit depend, and what is made of them."""


def configure() -> None:
    """Switch JAX to float64 and to one thread a computation; call before sampling.

    Chains run side by side, one a core, so XLA's own threads would only
    contend. XLA's older code generator compiles the model in two thirds of
    the time and half the memory, and the code is no slower. Flags count if
    JAX has not started its CPU client yet. OpenBLAS, whose small factorisations
    JAX calls, makes threads wait for each other unless told of one thread
    before it is loaded: sampling takes two and a half times as long. XLA's pool,
    which reads NPROC, gets a thread for each core this process may use: idle ones
    steal work, and 32 on two cores doubled the time of two chains side by side.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("NPROC", str(cores()))
    wanted = [_ONE_THREAD]
    if version("jaxlib").startswith(_KNOWN_TO):
        wanted.append(_PLAIN_KERNELS)
    flags = os.environ.get("XLA_FLAGS", "").split()
    os.environ["XLA_FLAGS"] = " ".join([*flags, *(flag for flag in wanted if flag not in flags)])

    import jax

    jax.config.update("jax_enable_x64", True)
    # A second run need not compile again; JAX's own setting wins.
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    # Keep small functions too: a run has two hundred of them, 5 s to compile and 1 MB to keep.
    if not os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    # Run a compiled function in the thread that calls it: the chains' threads then run at once.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def release_memory() -> None:
    """Give back to the system what compilation freed: the C library may keep half a gigabyte."""
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def random_key(seed: int, purpose: str) -> jax.Array:
    """Return the random key of one purpose, split from the job's seed by name."""
    import jax

    return jax.random.fold_in(jax.random.key(seed), int.from_bytes(purpose.encode()[:4], "big"))


def plain_keys(seed: int, purpose: str, number: int) -> NDArray[np.uint32]:
    """Return the data of random keys for so many draws, for `jax.random.wrap_key_data`."""
    import jax
    import numpy as np

    return np.asarray(jax.random.key_data(jax.random.split(random_key(seed, purpose), number)))
