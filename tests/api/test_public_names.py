"""``import mirical``: quick, and every public name there with its docstring."""

from __future__ import annotations

import inspect
import subprocess
import sys

import mirical as ml


def test_importing_loads_no_library():
    code = (
        "import sys, mirical, mirical as ml\n"
        "heavy = {'jax', 'numpyro', 'astropy', 'numpy', 'matplotlib', 'xarray', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), sorted(m for m in sys.modules if 'mirical' in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] ['mirical', 'mirical.version']\n"


def test_every_public_name_is_there_and_described():
    for name in ml.__all__:
        found = getattr(ml, name)
        assert name in dir(ml)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert inspect.getdoc(found), name
    assert not hasattr(ml, "fitt")


def test_every_public_method_is_described():
    for one in (ml.Run, ml.Calibration, ml.Check, type(ml.simulate)):
        for name, member in vars(one).items():
            if not name.startswith("_") and one is not type(ml.simulate):
                assert inspect.getdoc(member), (one, name)
