import numpy as np

from tinyprune.data.synthetic.channel import equaliser, room


def test_equaliser_is_mild_and_stops_dc():
    from scipy import signal

    for seed in range(20):
        hz, response = signal.sosfreqz(equaliser(np.random.default_rng(seed)), 512, fs=16_000)
        gain_db = 20 * np.log10(np.abs(response) + 1e-12)
        assert gain_db[0] < -100
        assert np.abs(gain_db[hz > 200]).max() < 6 + 5 + 3  # tilt, resonance, the high-pass's flank


def test_room_is_direct_sound_and_a_quieter_decaying_tail():
    for seed in range(20):
        response = room(np.random.default_rng(seed))
        tail = response[1:]
        assert response[0] == 1
        assert 10 ** (-18 / 10) * 0.99 < np.sum(tail**2) < 10 ** (-6 / 10) * 1.01
        half = len(tail) // 2
        assert np.sum(tail[:half] ** 2) > 10 * np.sum(tail[half:] ** 2)
