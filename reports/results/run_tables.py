"""A run's summary.json as Markdown: costs, ratios, quality, check."""

from __future__ import annotations

from radit.model.policy.skip_policy import kind_of
from radit.model.quality.names import BAR, DATA, FEWER, FLOAT, RECORD
from radit.model.quality.quality_schema import ClipMeasures, PolicyQuality, Quality
from radit.reports.common.markdown import paragraph, power_text, table
from radit.reports.run.readme_table import setting
from radit.reports.run.schema import PolicyResult, Summary

MOTION = {
    "label's class": ("accuracy_frames", "{:.1%}"),
    "clip's class": ("same_class", "{:.1%}"),
    "within half a pixel": ("straight", "{:.1%}"),
    "departure, pixels": ("departure", "{:.2f}"),
    "speed": ("speed", "{:.2f}"),
    "acceleration": ("acceleration", "{:.2f}"),
}


def run_tables(summary: Summary) -> str:
    """Everything that a run's summary says of its policies."""
    s = summary
    parts = [
        paragraph(f"{setting(s)} Engine {s.engine}, seed {s.sampler.seed}. All numbers are totals of the run."),
        table(("policy", *COSTS), ([kind_of(name).label, *costs(result)] for name, result in s.results.items())),
        paragraph(
            "Cycles, MACs and utilization are measured in the RTL simulation. Energy is modelled, by the table "
            f"`{s.provenance.energy_table}`, at {s.clock_mhz:g} MHz."
        ),
        table(
            ("dense over", "cycles", "MACs", "nominal energy"),
            (
                [kind_of(name).label, *(f"{value:.2f}" for value in (r.cycles, r.macs, r.energy_nominal))]
                for name, r in s.ratios.items()
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


WHOLE = " Accuracy is that of the digits at their places; in brackets, of prompts spelled as a whole."


def quality_parts(q: Quality, noun: str) -> list[str]:
    """A table of everything that was compared, and of clips one of their motion."""
    parts = [
        paragraph(
            f"Quality of {q.samples:,} {noun}s, measured on the bit-exact integer model. Frechet distances within "
            f"{q.fd_noise:.2g} of each other, the spread over re-seeded runs, say nothing. The error is the mean "
            "squared difference to the converged samples of the same noise, the model's own solution, or to the dense "
            "ones, with its standard error; a sample that tips over becomes another picture. Dense runs of fewer steps "
            "are what skipping has to beat."
            + (WHOLE if any(found.complete is not None for found in q.by_policy.values()) else "")
        ),
        table(QUALITY, quality_rows(q)),
    ]
    if q.data:
        parts += [
            paragraph(
                "Frame by frame: the share of frames with the class of the label, and with the class that most frames "
                "of their clip have. Motion: the share of clips within half a pixel of a bouncing path, the mean "
                "departure from the nearest one, speed and acceleration in pixels per frame."
            ),
            table(("clips of", *MOTION), ([_label(name), *_motion(clips)] for name, clips in _of_clips(q))),
        ]
    return parts


QUALITY = (
    "samples of", "Frechet distance", "label accuracy", "error to converged", "median", "tipped over", "error to dense"
)  # fmt: skip


def _label(name: str) -> str:
    return {DATA: "the data", FLOAT: "float model"}.get(name) or kind_of(name).label


def _of_clips(q: Quality) -> list[tuple[str, ClipMeasures]]:
    """What clips have more, the data first."""
    measured = [(name, found.clips) for name, found in q.by_policy.items() if found.clips]
    return sorted(measured, key=lambda pair: pair[0] != DATA)


def _motion(measures: ClipMeasures) -> list[str]:
    return [pattern.format(getattr(measures, field)) for field, pattern in MOTION.values()]


def quality_rows(q: Quality) -> list[list[str]]:
    """A row for the float model, each policy, and the dense runs of fewer steps; of clips for the data too."""
    last = (FEWER, BAR, RECORD, DATA)
    names = [name for name in q.by_policy if name not in last] + [name for name in last if name in q.by_policy]
    return [_quality_row(name, q.by_policy[name]) for name in names]


def _quality_row(name: str, found: PolicyQuality) -> list[str]:
    return [
        _samples_of(name, found),
        "" if found.fd is None else f"{found.fd:.2f}",
        _accuracy(found),
        found.converged_text,
        power_text(found.to_converged.median) if found.to_converged else "",
        f"{found.to_converged.tipped_over:.1%}" if found.to_converged else "",
        found.error_text if found.mse_to_dense else "",
    ]


def _accuracy(found: PolicyQuality) -> str:
    """The share of labels, or of a prompt's digits, and of prompts as a whole."""
    whole = "" if found.complete is None else f" ({found.complete:.1%})"
    return "" if found.accuracy is None else f"{found.accuracy:.1%}{whole}"


def _samples_of(name: str, found: PolicyQuality) -> str:
    if name == FEWER:
        return f"dense, {found.steps} steps: MACs of {kind_of(found.same_macs_as or '').label}"
    kinds = {BAR: f"dense, {found.steps} steps", RECORD: f"dense, {found.steps} steps of DDIM"}
    return kinds.get(name) or _label(name)


def check_sentences(s: Summary) -> str:
    """What was compared with the integer reference, and what differed."""
    c = s.check
    return (
        f"RTL against the integer reference: {c.words_compared:,} words compared, {c.words_mismatched:,} mismatched; "
        f"{c.decisions_compared:,} decisions compared, {c.decisions_mismatched:,} mismatched; {s.sampler.noun}s "
        f"{'identical' if c.images_identical else 'DIFFERENT'}; counters "
        f"{'equal to' if c.counters_equal else 'DIFFERENT from'} the independent count."
    )
