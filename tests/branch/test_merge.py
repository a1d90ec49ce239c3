import itertools
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import MergeEvidence, merge_regions
from pointins_ext.branch.cut import Contacts
from tests.oracles import merge_regions as oracle

seeds = st.integers(0, 2**16)


def random_regions(seed, num_regions, density=0.5):
    """Regions (N,) with all their voxels, and contacts; no two values alike."""
    rng = np.random.default_rng(seed)
    region = rng.permutation(np.repeat(np.arange(num_regions), rng.integers(1, 6, num_regions)))
    pairs = [pair for pair in itertools.combinations(range(num_regions), 2) if rng.random() < density]
    edges = rng.integers(1, 12, len(pairs))
    affinity, concavity = edges * rng.uniform(-0.2, 1, len(pairs)), -edges * rng.uniform(0, 1, len(pairs))
    source, target = torch.tensor(pairs, dtype=torch.long).view(-1, 2).T
    contact = Contacts(source, target, *map(torch.from_numpy, (edges, affinity, concavity)))
    return torch.from_numpy(region), contact


def random_evidence(seed, bias=None):
    """Weights around those by default, so that some pairs merge and some do not."""
    rng = np.random.default_rng(seed)
    weights = {name: value * rng.uniform(0.2, 2) for name, value in asdict(MergeEvidence()).items()}
    return MergeEvidence(**weights) if bias is None else MergeEvidence(**weights | {"bias": bias})


def merged_by_oracle(evidence, region, contact):
    """Label and rest of every voxel."""
    rows = list(zip(*(value.tolist() for value in vars(contact).values()), strict=True))
    label, rest = oracle.merge_regions(asdict(evidence), region.numpy(), rows)
    label = np.array(label)[region.numpy()]
    return label, np.array([rest[number] for number in label])


def partition(label):
    """Number (N,) of every voxel's label by its first voxel."""
    first = {}
    return [first.setdefault(number, len(first)) for number in np.asarray(label).tolist()]


@settings(max_examples=120, deadline=None)
@given(seed=seeds, num_regions=st.integers(1, 12), density=st.sampled_from([0.1, 0.4, 1.0]))
def test_equals_a_slow_merging_that_works_out_all_evidence_anew(seed, num_regions, density):
    scene, evidence = random_regions(seed, num_regions, density), random_evidence(seed)
    merged = merge_regions(*scene, evidence)
    label, rest = merged_by_oracle(evidence, *scene)
    assert partition(merged.label) == partition(label)
    np.testing.assert_allclose(merged.rest[merged.label], rest, rtol=1e-5, atol=1e-6)
    assert merged.label.unique().tolist() == list(range(len(merged.rest)))


@settings(max_examples=40, deadline=None)
@given(seed=seeds, num_regions=st.integers(2, 12))
def test_numbers_of_regions_and_order_of_voxels_and_contacts_do_not_matter(seed, num_regions):
    region, contact = random_regions(seed, num_regions)
    evidence, generator = random_evidence(seed), torch.Generator().manual_seed(seed)
    plain = merge_regions(region, contact, evidence)
    number = torch.randperm(num_regions, generator=generator)
    rows = torch.randperm(len(contact.source), generator=generator)
    voxels = torch.randperm(len(region), generator=generator)
    mixed = Contacts(*(value[rows] for value in vars(contact).values()))
    mixed = replace(mixed, source=number[mixed.target], target=number[mixed.source])
    mixed = merge_regions(number[region][voxels], mixed, evidence)
    assert partition(mixed.label) == partition(plain.label[voxels])
    torch.testing.assert_close(mixed.rest[mixed.label], plain.rest[plain.label[voxels]])


@settings(max_examples=30, deadline=None)
@given(seed=seeds, num_regions=st.integers(1, 10))
def test_without_evidence_nothing_merges_and_with_it_all_that_touches(seed, num_regions):
    region, contact = random_regions(seed, num_regions)
    apart = merge_regions(region, contact, random_evidence(seed, bias=-100.0))
    assert torch.equal(apart.label, region) and (apart.rest < 0).all()
    joined = merge_regions(region, contact, random_evidence(seed, bias=100.0))
    assert joined.rest.tolist() == [-math.inf] * len(joined.rest)
    touching = joined.label[region.argsort()][torch.searchsorted(region.sort()[0], torch.arange(num_regions))]
    assert torch.equal(touching[contact.source], touching[contact.target])


def test_rest_is_the_most_that_is_left_and_nothing_for_what_stands_alone():
    region = torch.arange(5)
    contact = Contacts(*map(torch.tensor, ([0, 1, 2], [1, 2, 3], [1, 1, 1], [1.0, 1.0, 1.0], [-0.5, -0.3, -0.4])))
    merged = merge_regions(region, contact, MergeEvidence(bias=0.0, concavity=1.0))
    assert merged.label.tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(merged.rest, torch.tensor([-0.5, -0.3, -0.3, -0.4, -math.inf]))


def test_one_leaking_edge_joins_no_whole_regions():
    """Two halves merge; the leak between one half and the neighbor would do for that half alone."""
    region = torch.repeat_interleave(torch.tensor([100, 100, 100]))
    evidence = MergeEvidence(bias=1.0, contact=0.0, concavity=0.0, affinity=2.0)
    leak = Contacts(*map(torch.tensor, ([0, 0, 1], [1, 2, 2], [40, 1, 9], [40.0, 0.6, 0.0], [0.0, 0.0, 0.0])))
    assert evidence(1, 0.6, 0.0, 100) > 0
    assert merge_regions(region, leak, evidence).label.unique_consecutive().tolist() == [0, 1]


def test_no_voxel():
    nothing = torch.zeros(0, dtype=torch.long)
    contact = Contacts(nothing, nothing, nothing, torch.zeros(0), torch.zeros(0))
    merged = merge_regions(nothing, contact, MergeEvidence())
    assert len(merged.label) == len(merged.rest) == 0


# what counts as evidence
def test_evidence_by_its_formula():
    assert MergeEvidence()(8, 6.0, -2.0, 16) == pytest.approx(1.3 + math.log(8 / 4) + 6 * -0.25 + 1.5 * (0.75 - 1))


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    edges=st.integers(1, 50),
    affinity=st.floats(-1, 1),
    bend=st.floats(-2, 0),
    size=st.integers(1, 100),
)
def test_evidence_grows_with_contact_likeness_and_flatness(seed, edges, affinity, bend, size):
    evidence = random_evidence(seed)

    def value(edges=edges, affinity=affinity, bend=bend):
        return evidence(edges, edges * affinity, edges * bend, size)

    assert value(edges=edges + 1) > value() < value(affinity=affinity + 0.1)
    assert value() < value(bend=bend + 0.1)
