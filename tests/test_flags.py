"""Values of command-line flags: what makes sense arrives, all else is one line of argparse."""

import argparse

import pytest

from pointins_ext import flags


def parse(kind, text):
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=kind)
    return parser.parse_args([f"--x={text}"]).x


@pytest.mark.parametrize(
    "kind, text, value",
    [
        (flags.at_least(2), "2", 2),
        (flags.at_least(0, float), "0.5", 0.5),
        (flags.at_least(-3), "-3", -3),
        (flags.positive, "1e-3", 0.001),
    ],
)
def test_numbers_arrive(kind, text, value):
    found = parse(kind, text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "kind, text, expected",
    [
        (flags.at_least(2), "1", "found '1', expected a whole number of at least 2"),
        (flags.at_least(2), "2.5", "found '2.5', expected a whole number of at least 2"),
        (flags.at_least(0, float), "nan", "found 'nan', expected a number of at least 0"),
        (flags.at_least(0, float), "inf", "found 'inf'"),
        (flags.positive, "0", "found '0', expected a number above 0"),
        (flags.positive, "wide", "found 'wide'"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_what_was_expected(kind, text, expected, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(kind, text)
    assert stopped.value.code == 2 and expected in capsys.readouterr().err.splitlines()[-1]


def test_places_are_checked_before_any_work(tmp_path, capsys):
    assert parse(flags.output_file, tmp_path / "a" / "b.json") == str(tmp_path / "a" / "b.json")
    assert parse(flags.output_folder, tmp_path) == str(tmp_path)
    with pytest.raises(SystemExit):
        parse(flags.output_file, tmp_path)
    assert f"argument --x: {tmp_path} is a folder; name a file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_tool_describes_its_config_alike():
    parser = argparse.ArgumentParser()
    flags.add_config_argument(parser)
    assert parser.parse_args([]).config is None and parser.parse_args(["--config", "a.py"]).config == "a.py"
