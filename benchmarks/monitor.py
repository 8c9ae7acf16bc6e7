"""False alarms and delays of `mirical monitor` against Shewhart charts, on the same streams.

    python benchmarks/monitor.py RUN [--streams 200] [--tables 10] [--out reports/benchmarks]

RUN is a run of the job program (`mirical run program`). SIMULATED streams of ten years without a
change: rows of the program's two monitoring stars, month by month as in its last year. Some are
drawn from the run's posterior, which the alarm level is for; others have the program's true
factors, offsets, scatters and deviant rows, which the run only estimates. Some of the latter go
through photometry tables and the command. Changes are planted in single bands. A Shewhart chart
raises an alarm for a row whose residual from what the run alone expects is beyond a limit in its
error: three sigma, and that wider limit which has the same rate of false alarms.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mirical.inference import runtime

BANDS = "F770W", "F1500W", "F2550W"
MONITORED = "BD+60 1753", "HD 163466"
CALIBRATION, RATE, SEEDS = 400, 0.1, {"level": 101, "posterior": 102, "truth": 103, "delays": 104}


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--tables", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    options = parser.parse_args()
    runtime.configure()
    from astropy.table import Table
    from machine import machine

    from mirical.tables.formats import write_ecsv

    known, began = machine(), time.monotonic()
    study = Study(options.run)
    alarms = study.false_alarms(options.streams)
    through = study.through_tables(options.tables)
    delays = study.delays(options.streams)
    seconds = round(time.monotonic() - began, 1)
    about = {"simulated": True, "rows_a_year": study.rows_a_year, "seconds": seconds, **known}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows, title, more in (
        ("monitor-false-alarms", alarms, "False alarms of streams without a change", through),
        ("monitor-delays", delays, "Delays until an alarm of changes of one band", {}),
    ):
        table = Table(rows=rows)
        table.meta |= {"title": f"SIMULATED: {title}", **more, **about}
        write_ecsv(table, options.out / f"{name}.ecsv")
        table.pprint_all()
    sys.stdout.write(f"{through}\n")


class Study:
    """Streams of a run of the program, the alarm level, and the limits of the charts."""

    def __init__(self, run: Path) -> None:
        import numpy as np

        from mirical.monitoring.alarm_level import alarm_level
        from mirical.monitoring.cadence import cadence
        from mirical.monitoring.changes import YEAR
        from mirical.monitoring.forecast import expectation
        from mirical.monitoring.statistic import SequentialTest
        from mirical.monitoring.watched_rows import draws_looked_at, watch_rows
        from mirical.reporting.stored_inputs import open_run
        from mirical.simulation.simulated_program import simulate_program
        from mirical.tables.formats import write_ecsv
        from mirical.tables.photometry import load_photometry

        self.run, self.program = run, simulate_program(59720)
        self.posterior, self.inputs = open_run(run)
        rows = self.program.photometry
        last = rows["time"].value > rows["time"].value.max() - YEAR
        self.pattern = rows[last & np.isin(rows["name"], MONITORED)]
        self.pattern["time"] = self.pattern["time"] + (YEAR + 1) * self.pattern["time"].unit
        self.pattern["visit"] = [f"next {visit}" for visit in self.pattern["visit"]]
        with TemporaryDirectory() as folder:
            write_ecsv(self.pattern, Path(folder) / "pattern.ecsv")
            new = load_photometry(f"{folder}/pattern.ecsv", self.inputs.instrument, "benchmark")
        rows = watch_rows(run, self.inputs, new)
        draws, card = draws_looked_at(self.posterior, 200), self.inputs.card
        plan = cadence(rows, None)
        self.looked = expectation(self.posterior, card, rows, plan, draws, lambda _: None)
        self.ahead, self.watched = self.looked.to_come()
        self.test = SequentialTest(self.watched, self.ahead.groups)
        self.years = (self.watched.ends - self.watched.since) / YEAR
        self.rows_a_year = round(len(self.watched.mjd) / self.looked.plan.years, 1)
        streams = self.ahead.streams(CALIBRATION, np.random.default_rng(SEEDS["level"]))
        self.levels = {"Shewhart, 3 sigma": 3.0}
        for chart, statistic in self.statistics(streams).items():
            self.levels[chart] = alarm_level(statistic, self.years, RATE).level
        sys.stdout.write(f"levels: {self.levels}\n")

    def statistics(self, rows: Any, ahead: Any = None, watched: Any = None) -> dict[str, Any]:
        """Return what each chart compares with its level, (epoch, stream)."""
        import numpy as np

        from mirical.monitoring.simulated_streams import statistics
        from mirical.monitoring.statistic import SequentialTest

        ahead, watched = ahead or self.ahead, watched or self.watched
        same = watched is self.watched
        test = self.test if same else SequentialTest(watched, ahead.groups)
        error = np.sqrt(np.sum(ahead.expected.root**2, axis=1))
        off = np.abs(rows - ahead.expected.mean[:, None]) / error[:, None]
        firsts = np.searchsorted(watched.epoch, np.arange(len(watched.ends)))
        return {
            "monitor": statistics(rows, test, lambda _: None),
            "Shewhart, widened": np.maximum.reduceat(off, firsts, axis=0),
        }

    def true_streams(self, count: int, ahead: Any = None) -> Any:
        """Return ln C of streams with the program's true factors and offsets, (row, stream)."""
        import numpy as np

        from mirical.simulation.errors_and_faults import Errors, Faults

        ahead, random = ahead or self.ahead, np.random.default_rng(SEEDS["truth"])
        design, truth = ahead.rows.design, self.program.truth
        known = {
            (str(q), str(b), str(n)): float(v)
            for q, b, n, v in zip(
                *(truth[c] for c in ("quantity", "filter", "name", "value")), strict=True
            )
        }
        bands = [design.bands[b] for b in np.asarray(design.band)]
        readouts = [design.subarrays[a] for a in np.asarray(design.subarray)]
        stars = [design.stars[s] for s in np.asarray(design.star)]
        mjd = np.asarray(design.elapsed) + design.t0
        mean = np.log(self.program.coefficients.factor(bands, readouts, mjd))
        mean += [known["star_offset", "", star] for star in stars]
        mean += [known["star_band_offset", b, s] for b, s in zip(bands, stars, strict=True)]
        scatter = np.array([known["repeatability", band, ""] for band in bands])
        scatter = np.hypot(scatter, np.asarray(design.log_factor_unc))[:, None]
        errors, faults, shape = Errors(), Faults(), (len(bands), count)
        visit = errors.visit * random.standard_normal((int(ahead.rows.visit.max()) + 1, count))
        deviant = random.uniform(size=shape) < faults.deviant_rows
        missing = np.where(deviant, random.uniform(0.05, 0.30, shape), 0.0)
        noise = scatter * random.standard_normal(shape) + visit[ahead.rows.visit]
        return mean[:, None] + noise - np.log1p(-missing)

    def false_alarms(self, count: int) -> list[dict[str, Any]]:
        """Return the rate of false alarms of each chart, with streams of either kind."""
        import numpy as np

        from mirical.monitoring.alarm_level import rate_at

        drawn = self.ahead.streams(count, np.random.default_rng(SEEDS["posterior"]))
        self.truth = self.true_streams(count)
        found = []
        for streams, rows in (("posterior", drawn), ("truth", self.truth)):
            statistic = self.statistics(rows)
            statistic["Shewhart, 3 sigma"] = statistic["Shewhart, widened"]
            if streams == "truth":
                self.of_truth = statistic["monitor"]
            for chart, level in self.levels.items():
                rate = rate_at(statistic[chart], self.years, level)
                found.append(
                    {
                        "chart": chart,
                        "streams_of": streams,
                        "level": round(level, 2),
                        "streams": rate.streams,
                        "alarms": rate.alarms,
                        "years": round(rate.years, 1),
                        "rate": round(rate.rate, 3),
                        "rate_error": round(rate.rate_error, 3),
                    }
                )
        return found

    def through_tables(self, count: int) -> dict[str, Any]:
        """Return whether streams in photometry tables get the same statistic from the command."""
        import numpy as np
        from astropy.table import QTable

        from mirical.cli import main as mirical
        from mirical.tables.formats import write_ecsv

        plan, merged = self.looked.plan, self.looked.rows.factors.observations.table
        design = self.looked.rows.design
        at = np.searchsorted(np.asarray(merged["row"]), np.array(design.rows)[plan.rows])
        before = np.asarray(design.log_factor)[plan.rows]
        differences, alarms = [], 0
        with TemporaryDirectory() as folder:
            for stream in range(count):
                table = QTable(merged[at])["name", "PID", "srctype", "filter", "subarray"]
                table["time"] = plan.mjd * merged["time"].unit
                change = np.exp(before - self.truth[:, stream])
                error = merged["ifluxunc"][at] / merged["iflux"][at]
                table["iflux"] = merged["iflux"][at] * change
                table["ifluxunc"] = table["iflux"] * error
                table["pixrate"] = merged["pixrate"][at]
                table["model_flux"] = merged["model_flux"][at]
                table["visit"] = [f"stream {visit}" for visit in plan.visit]
                table.meta["simulated"] = True
                write_ecsv(table, Path(folder) / "rows.ecsv")
                few = ["--streams", "40", "--delay-streams", "0", "--out", f"{folder}/out"]
                few.append("--overwrite")
                mirical(["monitor", str(self.run), f"{folder}/rows.ecsv", *few])
                told = json.loads(Path(folder, "out", "monitor.json").read_text())
                highest = float(self.of_truth[:, stream].max())
                differences.append(abs(told["statistic_highest"] / highest - 1))
                alarms += told["statistic_highest"] >= self.levels["monitor"]
        return {
            "tables": count,
            "tables_alarms": int(alarms),
            "tables_largest_difference": float(f"{max(differences):.1e}"),
        }

    def delays(self, count: int) -> list[dict[str, Any]]:
        """Return the delays of each chart after planted changes; drawn from the posterior."""
        import numpy as np

        from mirical.monitoring.alarm_level import first_alarms
        from mirical.monitoring.changes import YEAR
        from mirical.monitoring.simulated_streams import (
            LEAD,
            PLANTED,
            SEEN,
            SPREAD,
            Delay,
            planted_effect,
        )

        random = np.random.default_rng(SEEDS["delays"])
        ahead, watched = self.looked.to_come(LEAD + SPREAD + SEEN)
        rows, ends = ahead.streams(count, random), watched.ends
        begun = watched.since + YEAR * random.uniform(LEAD, LEAD + SPREAD, count)
        found = []
        for band in BANDS:
            inside = (watched.band == watched.bands.index(band))[:, None]
            for shape, size in PLANTED:
                changed = rows + inside * planted_effect(shape, size, watched.mjd, begun)
                statistic = self.statistics(changed, ahead, watched)
                statistic["Shewhart, 3 sigma"] = statistic["Shewhart, widened"]
                for chart, level in self.levels.items():
                    first = first_alarms(statistic[chart], level)
                    at = np.where(first >= 0, ends[first], np.inf)
                    days = (at - begun)[at > begun]
                    days = np.where(days > SEEN * YEAR, np.inf, days)
                    one = Delay(band, shape, size, days, SEEN)
                    found.append(
                        {
                            "filter": band,
                            "change": shape,
                            "size_pct": 100 * size,
                            "chart": chart,
                            "streams": len(days),
                            "delay_median": round(one.quantile(0.5), 0),
                            "delay_90": round(one.quantile(0.9), 0),
                            "not_found": round(one.missed, 3),
                        }
                    )
        return found


if __name__ == "__main__":
    main()
