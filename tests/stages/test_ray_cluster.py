"""Addresses of Ray, answered or not, and the room that nodes have."""

import importlib.util
import socket
import threading

import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.errors import UsageError
from tinyprune.stages import ray_cluster
from tinyprune.stages.ray_cluster import Node, check_address, check_answers, check_room


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "head.example:6379"])
def test_what_looks_like_an_address_is_one(address):
    check_address(address)


@pytest.mark.parametrize(
    "address", ["recipe.toml", "", "ray://head:10001", "head:", "head:port", "head:70000"]
)
def test_what_is_no_address_is_said_with_the_place_of_the_option(address):
    with pytest.raises(UsageError, match="or local; a Ray of this command alone is --ray at the"):
        check_address(address)


def test_an_option_that_ate_the_recipe_is_one_line(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("")
    found = CliRunner().invoke(main, ["sweep", "--ray", str(recipe), str(recipe)])
    assert found.exit_code == 2
    assert "expected HOST:PORT of `ray start --head`" in found.stderr
    assert found.stderr.count("\n") == 1


def test_cores_of_a_trial_go_with_ray(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nepochs = 1\n")
    found = CliRunner().invoke(main, ["sweep", str(recipe), "--cpus-per-trial", "2"])
    assert found.exit_code == 2
    assert "--cpus-per-trial goes with --ray" in found.stderr


@pytest.fixture
def listening(monkeypatch):
    """A socket that takes connections; nothing comes from it."""
    monkeypatch.setattr(ray_cluster, "_CONNECT_SECONDS", 0.2)
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_port_that_is_closed_is_said_at_once(listening):
    address = address_of(listening)
    listening.close()
    with pytest.raises(UsageError, match="does not answer .Connection refused.: expected HOST"):
        check_answers(address)


def test_a_port_that_says_nothing_is_given_up_in_time(listening):
    with pytest.raises(UsageError, match="does not answer .nothing comes within 0.2 s."):
        check_answers(address_of(listening))


@pytest.mark.parametrize(
    ("answer", "is_ray"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", False), (b"", False), (bytes((0, 0, 0, 4, 0)), True)],
)
def test_what_answers_otherwise_is_no_ray(listening, answer, is_ray):
    """The first frame of HTTP/2 is of type 4, settings: its fourth byte."""

    def reply():
        channel, _ = listening.accept()
        with channel:
            channel.recv(100)
            channel.sendall(answer)

    thread = threading.Thread(target=reply)
    thread.start()
    if is_ray:
        check_answers(address_of(listening))
    else:
        with pytest.raises(UsageError, match="what answers there is no Ray"):
            check_answers(address_of(listening))
    thread.join()


def node(name="a", **resources) -> Node:
    return Node(name, name, resources)


def test_a_node_has_room_by_its_cores_and_its_memory():
    """1.5 GB each: four by cores, two by memory."""
    assert node(CPU=4, memory=3.2e9).trials(1) == 2
    assert node(CPU=4, memory=99e9).trials(2) == 2
    assert node(CPU=4).trials(5) == 0


def test_where_no_node_has_room_the_largest_is_named():
    with pytest.raises(UsageError, match="largest, b, has 4 cores and 8.0 GB; try fewer --cpus"):
        check_room([node(CPU=2, memory=8e9), node("b", CPU=4, memory=8e9)], cpus=8)


def test_gpus_are_shared_by_the_trials_of_a_node_and_asked_where_all_have_one():
    """8 cores and one GPU: a quarter for each of four trials of two cores."""
    assert ray_cluster.gpus_of_trial([node(CPU=8, GPU=1)], cpus=2) == 0.25
    assert ray_cluster.gpus_of_trial([node(CPU=8, GPU=1), node(CPU=8)], cpus=2) == 0
    assert ray_cluster.gpus_of_trial([node(CPU=2, GPU=4), node("head")], cpus=1) == 1


def test_without_ray_the_line_to_type_and_the_other_way_are_said(tmp_path, monkeypatch):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[train]\nepochs = 1\n")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "ray" else find(name, *more),
    )
    found = CliRunner().invoke(main, ["sweep", str(recipe), "--axis", "sparsity=0.5", "--ray"])
    assert found.exit_code == 2
    assert found.stderr == (
        'error: --ray needs ray, which is not installed: pip install "tinyprune[ray]", '
        "or leave it out: --jobs N runs N trials at a time here\n"
    )
