"""What a user can repair ends in one line and exit code 2."""

import pytest

from pointins_ext.errors import exit_on_user_error


@pytest.mark.parametrize(
    "error, line",
    [
        (KeyError("option 'x': unknown"), "option 'x': unknown"),
        (ValueError("first\n  second"), "first second"),
        (
            ValueError("Caught ValueError in DataLoader worker process 0.\nTraceback:\n  f()\nValueError: bad scene"),
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
    assert stop.value.code == 2 and stderr.endswith(f"{line}\n") and stderr.count("\n") == 1
    monkeypatch.setenv("POINTINS_DEBUG", "1")
    with pytest.raises(SystemExit):
        exit_on_user_error(fail)
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_on_user_error(lambda: 1 / 0)
