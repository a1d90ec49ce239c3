"""What a user can repair ends in one line and exit code 2; what was guessed is said, but not 10,000 times."""

import warnings

import pytest
import torch

from pointins_ext.errors import MAX_NOTICES, ScanWarning, UserError, UserKeyError, exit_on_user_error, notice


@pytest.mark.parametrize(
    "error, line",
    [
        (UserKeyError("option 'x': unknown"), "option 'x': unknown"),
        (UserError("first\n  second"), "first second"),
        (
            UserError("Caught UserError in DataLoader worker process 0.\nTraceback:\n  f()\nUserError: bad scene"),
            "bad scene",
        ),
        (FileNotFoundError(2, "No such file", "x.pth"), "[Errno 2] No such file: 'x.pth'"),
    ],
)
def test_user_errors_are_one_line(capsys, monkeypatch, error, line):
    def fail():
        raise error

    monkeypatch.delenv("POINTINS_DEBUG", raising=False)
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(fail)
    stderr = capsys.readouterr().err
    assert stop.value.code == 2 and stderr == f"error: {line}\n" and stderr.count("\n") == 1
    monkeypatch.setenv("POINTINS_DEBUG", "1")
    with pytest.raises(SystemExit):
        exit_on_user_error(fail)
    assert "Traceback" in capsys.readouterr().err


def test_a_full_gpu_is_one_line_that_says_what_to_lower(capsys, monkeypatch):
    def fail():
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has ...")

    monkeypatch.delenv("POINTINS_DEBUG", raising=False)
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(fail)
    stderr = capsys.readouterr().err
    assert stop.value.code == 2 and stderr.startswith(
        "error: the GPU is out of memory; lower batch_size, then max_size"
    )
    assert stderr.count("\n") == 1


@pytest.mark.parametrize("bug", [ZeroDivisionError("x"), KeyError("x"), ValueError("x"), IndexError("x")])
def test_a_bug_keeps_its_traceback(bug):
    def fail():
        raise bug

    with pytest.raises(type(bug)):
        exit_on_user_error(fail)


def test_user_errors_are_what_callers_of_the_library_catch():
    assert (
        issubclass(UserError, ValueError) and issubclass(UserKeyError, KeyError) and issubclass(UserKeyError, UserError)
    )
    assert str(UserKeyError("no key 'x'")) == "no key 'x'"


def test_the_error_of_a_data_worker_is_still_the_users(capsys):
    loader = torch.utils.data.DataLoader(BadScene(), num_workers=1)
    with pytest.raises(SystemExit) as stop:
        exit_on_user_error(lambda: list(loader))
    assert stop.value.code == 2 and capsys.readouterr().err == "error: scene 0 has no points\n"


class BadScene(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, idx):
        raise UserError(f"scene {idx} has no points")


def test_notices_of_one_kind_come_to_an_end():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for number in range(3 * MAX_NOTICES):
            notice("colors", f"scan{number}.ply: colors 0..1, scaled to 0..255")
        notice("normals", "scan.ply: estimated")
    assert len(said) == MAX_NOTICES + 1 and all(issubclass(w.category, ScanWarning) for w in said)
    assert "no more is said about colors" in str(said[MAX_NOTICES - 1].message)


def test_a_tool_says_a_notice_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        exit_on_user_error(lambda: notice("axis", "scan.ply: y seems to be up"))
    assert capsys.readouterr().err == "warning: scan.ply: y seems to be up\n"
