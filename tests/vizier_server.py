"""A loopback server that answers as VizieR does, and the answer it gives: Table 5's real rows."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from astropy.table import Table
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from samples import shipped_table

VIZIER_NAMES = {
    "name": "Name",
    "srctype": "SrcType",
    "filter": "Filter",
    "subarray": "SubArr",
    "time": "MJD",
    "pixrate": "PixRate",
    "pixwelldepth": "PixWellDepth",
    "inttime": "IntTime",
    "iflux": "IFlux",
    "ifluxunc": "e_IFlux",
    "ibkg": "IBkg",
    "flux": "Flux",
    "fluxunc": "e_Flux",
    "bkg": "Bkg",
}
"""Names in VizieR's style: capitals, short, ``e_`` before those of errors."""

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
 <DESCRIPTION>VizieR Astronomical Server, Date: 2026-11-28T10:00:00</DESCRIPTION>
"""


def votable(tables: dict[str, Table], infos: str = "", names: dict[str, str] | None = None) -> str:
    """Return tables as VizieR sends them: single precision, a description and a unit a column."""
    body = "".join(_table(name, each, names or VIZIER_NAMES) for name, each in tables.items())
    resource = f'<RESOURCE ID="yCat" name="J/AJ/169/6">\n{body}</RESOURCE>\n' if tables else ""
    return f"{HEAD}{infos}{resource}</VOTABLE>\n"


def _table(name: str, table: Table, names: dict[str, str]) -> str:
    fields, rows = [], []
    for column in table.colnames:
        text = table[column].dtype.kind in "OU"
        kind = 'datatype="char" arraysize="*"' if text else 'datatype="float" precision="E3"'
        unit = "DN/s" if column == "ibkg" else str(table[column].unit or "").replace(" ", "")
        unit = f' unit="{unit}"' if unit else ""
        fields.append(f'<FIELD name="{names.get(column, column)}" {kind}{unit}/>\n')
    for row in table:
        cells = ("" if np.ma.is_masked(cell) else escape(str(cell)) for cell in row)
        rows.append("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>\n")
    data = f"<DATA><TABLEDATA>\n{''.join(rows)}</TABLEDATA></DATA>"
    return f'<TABLE name="{name}">\n{"".join(fields)}{data}</TABLE>\n'


def table5_answer() -> bytes:
    """Return VizieR's answer with the 31 rows that the paper prints, and its row numbers."""
    table = shipped_table("table5")
    table.add_column(np.arange(1, len(table) + 1).astype(str), name="recno", index=0)
    return votable({"J/AJ/169/6/table5": table}).encode()


@dataclass
class Answers:
    """What the server answers, and what it was asked."""

    body: bytes = b""
    status: int = 200
    length: int | None = None
    wait: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(answers: Answers, folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve answers by HTTPS on the loopback; gives host and port, and the certificate's file."""

    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.asked.append((self.path, body.decode()))
            over.wait(answers.wait)
            length = len(answers.body) if answers.length is None else answers.length
            with suppress(OSError):  # who does not wait has gone
                self.send_response(answers.status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answers.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", certificate
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate that it signs for the loopback, good for this hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
    signed = builder.add_extension(place, critical=False).sign(key, hashes.SHA256())
    path = folder / "loopback.pem"
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption()) + signed.public_bytes(pem)
    )
    return path
