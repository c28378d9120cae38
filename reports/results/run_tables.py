"""A run's summary.json as Markdown: costs, ratios, quality, check."""

from __future__ import annotations

from reports.common.markdown import paragraph, power_text, table
from reports.run.readme_table import setting
from reports.run.schema import POLICY_LABELS, ClipMeasures, Comparison, PolicyResult, Quality

MOTION = {
    "label's class": ("accuracy_frames", "{:.1%}"),
    "clip's class": ("same_class", "{:.1%}"),
    "within half a pixel": ("straight", "{:.1%}"),
    "departure, pixels": ("departure", "{:.2f}"),
    "speed": ("speed", "{:.2f}"),
    "acceleration": ("acceleration", "{:.2f}"),
}


def run_tables(summary: Comparison) -> str:
    """Everything that a run's summary says of its policies."""
    s = summary
    parts = [
        paragraph(f"{setting(s)} Engine {s.engine}, seed {s.sampler.seed}. All numbers are totals of the run."),
        table(("policy", *COSTS), ([POLICY_LABELS[name], *costs(result)] for name, result in s.results.items())),
        paragraph(
            "Cycles, MACs and utilization are measured in the RTL simulation. Energy is modelled, by the table "
            f"`{s.provenance.energy_table}`."
        ),
        table(
            ("dense over", "cycles", "MACs", "nominal energy"),
            (
                [POLICY_LABELS[name], *(f"{value:.2f}" for value in (r.cycles, r.macs, r.energy_nominal))]
                for name, r in s.dense_over.items()
            ),
        ),
        *(quality_parts(s.quality, s.sampler.noun) if s.quality else []),
        paragraph(check_sentences(s)),
    ]
    return "\n\n".join(parts)


COSTS = ("cycles, million", "MACs, million", "MAC utilization", "energy, uJ", "low", "high")


def costs(result: PolicyResult) -> list[str]:
    """Cells under ``COSTS``."""
    energy = result.energy_uj
    return [
        f"{result.cycles / 1e6:,.3f}",
        f"{result.macs / 1e6:,.0f}",
        f"{result.mac_utilization:.1%}",
        *(f"{value:,.0f}" for value in (energy.nominal, energy.low, energy.high)),
    ]


def quality_parts(q: Quality, noun: str) -> list[str]:
    """A table of everything that was compared, and of clips one of their motion."""
    parts = [
        paragraph(
            f"Quality of {q.samples:,} {noun}s, measured on the bit-exact integer model. Frechet distances within "
            f"{q.fd_noise:.2g} of each other, the spread over re-seeded runs, say nothing. The error is the mean "
            "squared difference to the dense samples of the same noise, with its standard error. Dense runs of fewer "
            "steps are what skipping has to beat."
        ),
        table(("samples of", "Frechet distance", "label accuracy", "error to dense", "median"), quality_rows(q)),
    ]
    if q.clips:
        parts += [
            paragraph(
                "Frame by frame: the share of frames with the class of the label, and with the class that most frames "
                "of their clip have. Motion: the share of clips within half a pixel of a bouncing path, the mean "
                "departure from the nearest one, speed and acceleration in pixels per frame."
            ),
            table(("clips of", *MOTION), ([_label(name), *_motion(one)] for name, one in q.clips.items())),
        ]
    return parts


def _label(name: str) -> str:
    return {"data": "the data", "float": "float model"}.get(name) or POLICY_LABELS[name]


def _motion(measures: ClipMeasures) -> list[str]:
    return [pattern.format(getattr(measures, field)) for field, pattern in MOTION.values()]


def quality_rows(q: Quality) -> list[list[str]]:
    """A row for the float model, each policy, and the dense runs of fewer steps; of clips for the data too."""

    def row(name: str, fd: float | None, accuracy: float | None, error: str = "") -> list[str]:
        spread = (q.mse_spread or {}).get(error)
        return [
            name,
            "" if fd is None else f"{fd:.2f}",
            "" if accuracy is None else f"{accuracy:.1%}",
            q.error_text(error) if error in q.paired_errors else "",
            power_text(spread.median) if spread else "",
        ]

    rows = [row("float model", q.fd_float, q.accuracy_float), row("dense", q.fd_int8, q.accuracy_int8)]
    rows.append(row("RADiT", q.fd_radit, q.accuracy_radit, "radit"))
    if q.fd_forecast is not None:
        rows.append(row("forecast", q.fd_forecast, q.accuracy_forecast, "forecast"))
    rows.append(row(f"dense, {q.fewer_steps} steps: the MACs of RADiT", None, None, "fewer_steps"))
    rows.append(row("dense, 30 of 50 steps", None, None, "30_of_50"))
    if q.clips:
        rows.append(row("the data", q.clips["data"].fd, q.clips["data"].accuracy))
    return rows


def check_sentences(s: Comparison) -> str:
    """What was compared with the integer reference, and what differed."""
    c = s.check
    return (
        f"RTL against the integer reference: {c.words_compared:,} words compared, {c.words_mismatched:,} mismatched; "
        f"{c.decisions_compared:,} decisions compared, {c.decisions_mismatched:,} mismatched; {s.sampler.noun}s "
        f"{'identical' if c.images_identical else 'DIFFERENT'}; counters "
        f"{'equal to' if c.counters_equal else 'DIFFERENT from'} the independent count."
    )
