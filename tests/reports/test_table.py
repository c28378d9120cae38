"""reports/energy/energy_table.py: the shipped table is complete, bad tables are refused, memories interpolate
sensibly."""

import pytest

from radit.model.errors import UserError
from radit.reports.energy.energy_table import ACTIONS, DEFAULT_TABLE, PRIMITIVES, Range, load_table

MAC = '[primitive.mac_int8]\nunit = "pJ"\n'


def test_every_entry_has_unit_source_and_ordered_bounds():
    rows = load_table().sources()
    assert {row["entry"] for row in rows} >= {*PRIMITIVES, *ACTIONS}
    for row in rows:
        assert "[" in row["source"], row
        if "low" in row:
            assert row["unit"] in ("pJ", "ratio") and row["per"] and 0 < row["low"] <= row["nominal"] <= row["high"]


def test_actions_are_the_sum_of_their_terms():
    table = load_table()
    terms = table.action["requant_lane"].terms
    nominal = sum(count * table.energy_pj(name).nominal for name, count in terms.items())
    assert table.energy_pj("requant_lane").nominal == pytest.approx(nominal)


def test_scales_to_the_target_node():
    table = load_table()
    assert table.energy_pj("register_bit").nominal == pytest.approx(0.009 * 0.60)


@pytest.mark.parametrize("capacity, width, pj", [(8, 64, 2.25), (32, 64, 4.45), (256, 512, 52.2), (4096, 512, 254)])
def test_sram_passes_through_its_points(capacity, width, pj):
    assert load_table().sram_bit_pj(capacity, width).nominal * width == pytest.approx(pj, rel=1e-9)


def test_sram_grows_with_capacity_and_shrinks_with_width():
    table = load_table()
    sizes = [table.sram_bit_pj(2**k, 128) for k in range(14)]
    assert all(b.nominal >= a.nominal for a, b in zip(sizes, sizes[1:], strict=False))
    assert all(r.low <= r.nominal <= r.high for r in sizes)
    assert table.sram_bit_pj(64, 512).nominal < table.sram_bit_pj(64, 64).nominal


def test_range_arithmetic():
    assert Range(1, 2, 3) + Range(1, 1, 1) == Range(2, 3, 4)
    assert Range(1, 2, 3) * Range(2, 3, 4) == Range(2, 6, 12)


@pytest.mark.parametrize(
    "old, new, words",
    [
        (MAC, "[primitive.mac_int8]\n", ("primitive.mac_int8", "unit", "missing")),
        (MAC, '[primitive.mac_int8]\nunit = "nJ"\n', ("primitive.mac_int8", "unit", "'nJ'", "'pJ'")),
        (MAC, MAC + "watts = 1\n", ("primitive.mac_int8", "watts", "unknown")),
        ("low = 0.153", "low = 0.9", ("primitive.mac_int8", "low 0.9", "order")),
        ("low = 0.153", "low = -1", ("primitive.mac_int8", "low", "-1")),
        ("low = 0.153", "", ("primitive.mac_int8", "low", "missing")),
        ("low = 0.153", 'low = "cheap"', ("primitive.mac_int8", "low", "cheap")),
        ('source = "[C] composed: bias', 'source = "bias', ("action.requant_lane", "source", "[P]")),
        ("[ratio.sram_write]", "[ratio.sram_writes]", ("ratio.sram_write", "missing")),
        ("host_mac]", "host_mac2]", ("action.host_mac", "missing")),
        ("terms = { mac_int8 = 1 }", "terms = { mac_int9 = 1 }", ("action.host_mac", "mac_int9")),
        ("node_nm = 40\n", "node_nm = 41\n", ("primitive.register_bit", "node_nm", "41")),
        ("capacity_kib = 8\n", "", ("sram.point.0", "capacity_kib", "missing")),
        ("capacity = 512", "capacity = -1", ("reuse_sram", "capacity", "-1")),
        ("capacity = 512", "capacity = 5e-324", ("reuse_sram.capacity", "5e-324")),
        ("[reuse_sram]", "[cache_sram]", ("reuse_sram", "missing")),
        ("[sram]", "[sram", ("not valid TOML",)),
        ("low = 0.153", "low = nan", ("primitive.mac_int8", "low", "nan")),
        ("low = 0.153", "low = 1e-12", ("primitive.mac_int8", "low", "1e-12")),
        ("high = 0.593", "high = inf", ("primitive.mac_int8", "high", "inf")),
        ("high = 0.593", "high = 1e300", ("primitive.mac_int8", "high", "1e+300")),
        ("high = 0.593", "high = true", ("primitive.mac_int8", "high", "True")),
        ("high = 0.593", "high = 1979-05-27", ("primitive.mac_int8", "high")),
        ("high = 0.593", 'high = "0.593"', ("primitive.mac_int8", "high", "0.593")),
        ("high = 0.593", "high = 0.593\nhigh = 0.593", ("not valid TOML",)),
        ("[scaling.45]", "[scaling.fourty]", ("scaling.fourty", "40")),
        ("[scaling.45]", "[scaling.045]", ("scaling.045",)),
        ("[scaling.45]", f"[scaling.{'4' * 5000}]", ("scaling.4444",)),
        ("[scaling.45]", '[scaling."\\u001b[31m"]', ("scaling.\\x1b[31m",)),
        ('name = "default-28nm"', 'name = "a\\nb"', ("name", "one line")),
        ("capacity_kib = 32\n", "capacity_kib = 8\n", ("sram.point", "8 and 8 KiB")),
        ("capacity_kib = 32\n", "capacity_kib = 8.00001\n", ("sram.point", "power 4")),
        ("width_exponent = 0.40", "width_exponent = 400", ("sram.width_exponent", "400")),
        ("min_width_bits = 64", "min_width_bits = 640", ("min_width_bits 640",)),
        ("terms = { mac_int8 = 1 }", "terms = {}", ("action.host_mac.terms",)),
        ("terms = { mac_int8 = 1 }", "terms = 5", ("action.host_mac.terms", "5")),
    ],
)
def test_bad_table_gets_one_sentence(tmp_path, old, new, words):
    text = DEFAULT_TABLE.read_text()
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        load_table(path)
    message = str(caught.value)
    assert all(word in message for word in ("bad.toml", *words)), message
    assert message.endswith(".") and message.isprintable()


def test_missing_source_is_named(tmp_path):
    lines = DEFAULT_TABLE.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line == "[primitive.mac_int8]")
    source = next(i for i in range(first, len(lines)) if lines[i].startswith("source"))
    path = tmp_path / "bad.toml"
    path.write_text("\n".join(lines[:source] + lines[source + 1 :]))
    with pytest.raises(UserError, match="field primitive.mac_int8.source is missing: add it"):
        load_table(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.toml cannot be read"):
        load_table(tmp_path / "none.toml")


def test_a_table_can_state_only_what_differs(tmp_path):
    path, usual = tmp_path / "mine.toml", load_table()
    source = 'source = "[U] a test"\n'
    path.write_text(
        f'base = "default"\nname = "mine"\n[primitive.mac_int8]\nnominal = 0.3\n[reuse_sram]\ncapacity = 8\n{source}'
    )
    found = load_table(path)
    assert found.name == "mine" and found.primitive["mac_int8"].nominal == 0.3 and found.reuse_sram.capacity == 8
    assert found.primitive["mac_int8"].low == usual.primitive["mac_int8"].low
    assert found.reuse_sram.source == "[U] a test" and found.sram == usual.sram
    path.write_text('base = "default"\n[primitive.mac_int8]\nwatts = 1\n')
    with pytest.raises(UserError, match="watts is unknown"):
        load_table(path)
    path.write_text('base = "cheap"\n')
    with pytest.raises(UserError, match="field base is 'cheap': give 'default'"):
        load_table(path)
