"""VizieR's answer to the question for one catalogue, asked through astroquery."""

from __future__ import annotations

from mirical.catalogues.known import Catalogue
from mirical.errors import InputError, reason_of

TIMEOUT = 60.0  # s without a byte


def ask(catalogue: Catalogue, server: str | None = None, timeout: float = TIMEOUT) -> bytes:
    """Return the VOTable that VizieR answers: all tables, columns and rows of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        What is asked for.
    server : str, optional
        Host of a mirror, and its port; by default astroquery's own choice.
    timeout : float, optional
        Seconds without an answer, after which it is given up.

    Raises
    ------
    InputError
        If astroquery is not installed, or the server does not answer, refuses, breaks off or
        sends nothing; says what to download by hand instead.
    """
    try:
        from astroquery import cache_conf
        from astroquery.vizier import Vizier
    except ImportError as error:
        raise InputError(
            f"{catalogue.name}: the package astroquery is not installed; pip install "
            f"'mirical[fetch]', or {catalogue.by_hand}."
        ) from error
    from requests import RequestException

    where = {} if server is None else {"vizier_server": server}
    vizier = Vizier(columns=["**"], row_limit=-1, timeout=timeout, **where)
    try:
        # What is recorded as fetched today must not be an answer of last week.
        with cache_conf.set_temp("cache_active", False):
            answer = vizier.get_catalogs_async(catalogue.vizier)
    except RequestException as error:
        raise _none(catalogue, f"no answer from VizieR ({_network_reason(error)})") from error
    if answer.status_code != 200:
        said = f"VizieR answers HTTP {answer.status_code} ({answer.reason})"
        raise _none(catalogue, said)
    if not answer.content.strip():
        raise _none(catalogue, "VizieR's answer is empty")
    return answer.content


def _none(catalogue: Catalogue, what: str) -> InputError:
    return InputError(f"{catalogue.name}: {what}; try again later, or {catalogue.by_hand}.")


def _network_reason(error: Exception) -> str:
    """Return what went wrong in the words of the innermost library that had any."""
    from requests import ConnectTimeout, Timeout
    from requests.exceptions import ChunkedEncodingError, SSLError

    if isinstance(error, ConnectTimeout | Timeout):
        return "timed out"
    if isinstance(error, ChunkedEncodingError):
        return "broke off before its end"
    if isinstance(error, SSLError):
        return "its certificate is not accepted"
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return reason_of(cause)
