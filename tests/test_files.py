"""Files that are whole or not there."""

import errno
import os

import pytest

from pointins_ext import files


def test_a_file_appears_when_everything_is_written(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with files.whole_file(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half" and os.listdir(path.parent) == ["a.txt"]


def test_an_error_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.whole_file(path) as stream:
        stream.write(b"new")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError) as caught, files.whole_file(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt") and os.listdir(tmp_path) == []


def test_what_a_killed_process_left_under_a_fixed_name_is_written_over(tmp_path):
    temporary = tmp_path / "a.tmp"
    temporary.write_text("left over, and longer than the next")
    with files.whole_file(tmp_path / "a.txt", temporary) as stream:
        stream.write(b"whole")
    assert (tmp_path / "a.txt").read_text() == "whole" and not temporary.exists()


def test_places_that_can_be_written_to(tmp_path):
    for path in (tmp_path / "a.txt", tmp_path / "not" / "yet" / "there.txt"):
        assert files.require_output_file(path) == path and files.require_output_folder(path) == path
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_written_to_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=f"{tmp_path} is a folder; name a file to write"):
        files.require_output_file(tmp_path)
    for require in (files.require_output_file, files.require_output_folder):
        with pytest.raises(ValueError, match="file/x/y cannot be written: .*file is a file, not a folder"):
            require(tmp_path / "file" / "x" / "y")


def test_a_closed_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=f"a.txt cannot be written: no permission to write to {tmp_path}"):
        files.require_output_file(tmp_path / "a.txt")
