"""The numbers are the same on one device, on eight, and on two hosts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("devices.py")


def start(out, *arguments, devices=1):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(out), *arguments], env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    )


def numbers(path):
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("devices") / "one.npz"
    assert start(out).wait(timeout=300) == 0
    return numbers(out)


def same(found, expected):
    """Equal to rounding, which differs with the number of sets that a device has at once: optima to their last digits, covariances less the
    digits that their condition number of 3e5 costs, resampled optima, which end within a tolerance, to a millionth of their spread."""
    for name in expected.keys() - {"devices", "hosts", "covariance", "bootstrap"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-300, err_msg=name)
    scale = np.outer(*2 * [np.sqrt(np.diag(expected["covariance"]))])
    np.testing.assert_allclose(found["covariance"] / scale, expected["covariance"] / scale, rtol=0, atol=1e-11)
    spread = expected["bootstrap"].std(axis=-1, keepdims=True)
    np.testing.assert_allclose(found["bootstrap"] / spread, expected["bootstrap"] / spread, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_eight_devices(alone, tmp_path):
    assert start(tmp_path / "eight.npz", devices=8).wait(timeout=300) == 0
    found = numbers(tmp_path / "eight.npz")
    assert (int(alone["devices"]), int(found["devices"])) == (1, 8)
    same(found, alone)


@pytest.mark.slow
def test_two_hosts(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    out = tmp_path / "hosts.npz"
    hosts = [start(out, address, "2", str(i)) for i in range(2)]
    assert [host.wait(timeout=300) for host in hosts] == [0, 0]
    found = numbers(out)
    assert int(found["hosts"]) == 2
    same(found, alone)
    same(numbers(f"{out}.other.npz"), alone)
