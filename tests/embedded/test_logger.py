"""The run's logger: a file that begins with the run and holds what came before; the console without what is its own."""

import logging

import pytest

from pointins_ext.embedded import logger as module
from pointins_ext.embedded.logger import FILE_ONLY, begin_log, get_root_logger


@pytest.fixture(autouse=True)
def logger_of_its_own(monkeypatch, request):
    monkeypatch.setattr(module, "NAME", f"logger of {request.node.name}")
    yield
    for handler in list(logging.getLogger(module.NAME).handlers):
        logging.getLogger(module.NAME).removeHandler(handler)
        handler.close()


def test_there_is_no_file_before_the_run_begins_and_then_nothing_is_missing(tmp_path):
    path = tmp_path / "exp" / "train.log"
    logger = get_root_logger(str(path))
    logger.info("early")
    assert not path.parent.exists()
    begin_log()
    logger.info("late")
    lines = path.read_text().splitlines()
    assert [line.rpartition("] ")[2] for line in lines] == ["early", "late"] and "INFO test_logger.py" in lines[0]


def test_a_run_that_never_begins_leaves_nothing(tmp_path):
    get_root_logger(str(tmp_path / "train.log")).error("bad option")
    get_root_logger(str(tmp_path / "other.log"))
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_writes_to_its_own_file_alone(tmp_path):
    for name in "ab":
        logger = get_root_logger(str(tmp_path / name))
        begin_log()
        logger.info(f"run {name}")
    assert "run b" not in (tmp_path / "a").read_text() and "run a" not in (tmp_path / "b").read_text()


def test_the_console_leaves_out_what_is_for_the_file(tmp_path, capsys):
    logger = get_root_logger(str(tmp_path / "train.log"))
    begin_log()
    logger.info("for both")
    logger.info("for the file", extra=FILE_ONLY)
    shown = capsys.readouterr().out
    assert "for both" in shown and "for the file" not in shown
    assert "for the file" in (tmp_path / "train.log").read_text()


def test_other_ranks_say_errors_only(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module.comm, "is_main_process", lambda: False)
    logger = get_root_logger(str(tmp_path / "train.log"))
    begin_log()
    logger.info("progress")
    logger.error("broken")
    shown = capsys.readouterr().out
    assert "broken" in shown and "progress" not in shown and not (tmp_path / "train.log").exists()
