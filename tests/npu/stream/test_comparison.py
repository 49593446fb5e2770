"""Two engines in lockstep, written by hand."""

import numpy as np

from tinyprune.npu.stream.comparison import Lockstep


class Adder:
    """An engine that adds a number, and one more after ``late`` inferences."""

    def __init__(self, more: int, late: int = 99) -> None:
        self.name, self.more, self.late, self.done = f"adds {more}", more, late, 0

    def invoke(self, inputs):
        self.done += 1
        return [values + self.more + (self.done > self.late) for values in inputs]

    def reset(self) -> None:
        self.done = 0


ONES = [np.ones((1, 4), np.int16)]


def test_bytes_that_differ_are_counted_and_placed():
    lockstep = Lockstep(Adder(3, late=2), Adder(3), most=5)
    made = [lockstep.invoke(ONES)[0][0, 0] for _ in range(4)]
    assert made == [4, 4, 5, 5]  # the outputs of the tested engine
    assert (lockstep.bytes, lockstep.bytes_off) == (4 * 4 * 2, 2 * 4)  # 5 = 0x0005, 4 = 0x0004
    assert (lockstep.largest, lockstep.first_off, lockstep.inferences) == (1, 2, 4)
    assert lockstep.bytes_beyond == 0  # none is more than a step off


def test_numbers_that_are_more_than_a_step_apart_are_counted_by_themselves():
    class Uneven(Adder):
        def invoke(self, inputs):
            return [values + np.array([[0, 1, 2, 256]], np.int16) for values in inputs]

    lockstep = Lockstep(Uneven(0), Adder(0), most=1)
    lockstep.invoke(ONES)
    # 1 beside 1; 2 beside 1; 3 beside 1; 0x0101 beside 0x0001, whose high byte alone differs
    assert (lockstep.bytes_off, lockstep.bytes_beyond, lockstep.largest) == (3, 2, 256)


def test_later_inferences_go_through_the_reference_alone():
    lockstep = Lockstep(Adder(1), Adder(2), most=1)
    assert [int(lockstep.invoke(ONES)[0][0, 0]) for _ in range(3)] == [2, 3, 3]
    assert lockstep.inferences == 1
    lockstep.reset()
    assert lockstep._reference.done == 0
