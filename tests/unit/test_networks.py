"""Selection networks find the median of every input, and cost what they should."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.science import networks
from tapewatch.science.networks import Network, median_network

EXHAUSTIVE = range(1, 17)
"""Numbers of values for which all inputs of zeros and ones are tried."""


def ones_of_input(wire: int, count: int) -> int:
    """Bit k: the value of `wire` in the k-th of all inputs of zeros and ones."""
    period = "1" * (1 << wire) + "0" * (1 << wire)
    return int(period * (1 << (count - wire - 1)), 2)


def inputs_with_ones(at_least: int, count: int) -> int:
    """Bit k: whether the k-th input has so many ones."""
    return sum(1 << k for k in range(1 << count) if k.bit_count() >= at_least)


def zero_one_outputs(network: Network) -> list[int]:
    """Run all inputs of zeros and ones at once: minimum is `and`, maximum is `or`."""
    places = [ones_of_input(wire, network.inputs) for wire in range(network.inputs)]
    places += [0] * network.registers
    for larger, first, second, target in network.operations:
        either, both = places[first] | places[second], places[first] & places[second]
        places[target] = either if larger else both
    return [places[output] for output in network.outputs]


def median_by(network: Network, values: list[int]) -> float:
    """Median of numbers by a network, one operation at a time."""
    places = values + [0] * network.registers
    for larger, first, second, target in network.operations:
        places[target] = (max if larger else min)(places[first], places[second])
    return statistics.fmean(places[output] for output in network.outputs)


def both_constructions(count: int) -> list[Network]:
    """Both networks, not only the one that `median_network` takes."""
    middle = (count - 1) // 2, count // 2
    return [
        networks._network(count, networks._batcher_sort(count), middle),
        networks._network(count, *networks._forgetful_selection(count)),
    ]


@pytest.mark.parametrize("count", EXHAUSTIVE)
def test_every_input_of_zeros_and_ones_gives_its_median(count: int) -> None:
    # By the zero-one principle (Knuth, TAOCP 3, 5.3.4) this proves the network for all values.
    for network in both_constructions(count):
        outputs = zero_one_outputs(network)
        upper = inputs_with_ones(count - count // 2, count)
        assert outputs[0] | outputs[-1] == upper
        if count % 2 == 0:
            assert outputs[0] & outputs[-1] == inputs_with_ones(count // 2 + 1, count)
        assert len(outputs) == 2 - count % 2


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=70))
def test_any_numbers_give_their_median(values: list[int]) -> None:
    for network in both_constructions(len(values)):
        assert median_by(network, values) == statistics.median(values)


@pytest.mark.parametrize(
    ("count", "operations"),
    [(1, 0), (2, 0), (3, 4), (4, 6), (5, 10), (8, 26), (9, 32), (12, 58), (15, 84), (16, 90)],
)
def test_it_takes_no_more_operations_than_known(count: int, operations: int) -> None:
    assert len(median_network(count).operations) == operations


@pytest.mark.parametrize("count", range(1, 41))
def test_the_cheaper_construction_is_taken(count: int) -> None:
    costs = [len(network.operations) for network in both_constructions(count)]
    assert len(median_network(count).operations) == min(costs)


@pytest.mark.parametrize("count", range(1, 41))
def test_inputs_are_never_written(count: int) -> None:
    network = median_network(count)
    registers = range(count, count + network.registers)
    assert {operation.target for operation in network.operations} == set(registers)


@pytest.mark.parametrize("count", range(1, 41))
def test_every_result_is_used(count: int) -> None:
    network = median_network(count)
    wanted = set(network.outputs)
    for operation in reversed(network.operations):
        assert operation.target in wanted
        wanted.remove(operation.target)
        wanted |= {operation.first, operation.second}
    assert wanted == set(range(count))


@pytest.mark.parametrize("count", range(1, 41))
def test_registers_are_used_again(count: int) -> None:
    assert median_network(count).registers <= count + 1


def test_a_network_is_made_once() -> None:
    assert median_network(11) is median_network(11)


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match="median of 0 values"):
        median_network(0)
