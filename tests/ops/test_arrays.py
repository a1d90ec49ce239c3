import numpy as np
import pytest
import torch

from pointins_ext.ops import as_array


@pytest.mark.parametrize("values", [[1, 2], (1, 2), np.array([1, 2]), torch.tensor([1, 2])])
def test_whatever_it_was_it_is_an_array_of_the_same_values(values):
    array = as_array(values)
    assert isinstance(array, np.ndarray) and array.tolist() == [1, 2]


def test_a_tensor_in_a_graph_is_taken_out_of_it():
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]
