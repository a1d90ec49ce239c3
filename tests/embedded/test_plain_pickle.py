"""Pickles of plain data."""

import pickle

import pytest
import torch

from pointins_ext.embedded import plain_pickle
from tests.fixtures.evil_pickle import Evil


def test_code_in_a_pickle_of_data_is_not_run(tmp_path):
    evil = dict(x=Evil(tmp_path / "executed"))
    torch.save(evil, tmp_path / "evil.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(evil))
    with pytest.raises(ValueError, match="evil.pkl cannot be read as a pickle of plain data: it holds a posix.mkdir"):
        plain_pickle.read(tmp_path / "evil.pkl")
    with pytest.raises(pickle.UnpicklingError, match="it holds a posix.mkdir; only plain data"):
        torch.load(tmp_path / "evil.pth", pickle_module=plain_pickle, weights_only=False)
    assert not (tmp_path / "executed").exists()
