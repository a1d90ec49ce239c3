"""The doctor where Pointcept is the host."""

from pointins_ext.cli import doctor


def test_stand_ins_are_named_and_the_self_test_passes(monkeypatch, capsys):
    monkeypatch.setattr(doctor.logging, "disable", lambda level: None)
    monkeypatch.setenv("TQDM_DISABLE", "")  # what the doctor sets is undone
    assert doctor.main([]) == 0
    printed = capsys.readouterr().out
    assert "pointcept: found at" in printed and "passed: 2 training steps" in printed
    for name in doctor.COMPILED:
        assert f" {name} " in printed
