import signal

import pytest

from napari_unit_training.interruption import interrupt_deferred


def test_ctrl_c_waits_for_the_block():
    done = []

    def work() -> None:
        with interrupt_deferred():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_without_ctrl_c_nothing_happens_and_the_handler_is_back():
    before = signal.getsignal(signal.SIGINT)
    with interrupt_deferred():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_in_the_block_comes_through_and_the_handler_is_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), interrupt_deferred():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before
