"""Services run beside the jobs, start again when they fail, and end with the worker."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from renkei.base import services

SEEN = []
NEWS = threading.Event()


def steady(stop):
    """Work until asked to end."""
    SEEN.append("begun")
    NEWS.set()
    stop.wait(10)
    SEEN.append("ended")


def fails_once(stop):
    """Raise at the first start."""
    SEEN.append("begun")
    if len(SEEN) == 1:
        raise OSError("the port is taken")
    NEWS.set()
    stop.wait(10)


def has_nothing_to_do(_stop):
    """Return at once."""
    SEEN.append("begun")
    NEWS.set()


@pytest.fixture(autouse=True)
def _forget():
    SEEN.clear()
    NEWS.clear()


def _run(function, **more):
    with services.running([f"{__name__}.{function.__name__}"], **more) as stop:
        assert NEWS.wait(30)
        assert not stop.is_set()
    assert stop.is_set()


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _self())


def _self():
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(globals())
    return module


def test_a_service_ends_with_the_block():
    _run(steady)

    assert SEEN == ["begun", "ended"]


def test_a_service_that_fails_is_started_again(caplog):
    _run(fails_once, pause_seconds=0.01)

    assert SEEN == ["begun", "begun"]
    assert "the port is taken" in caplog.text


def test_a_service_that_returns_is_left_alone():
    _run(has_nothing_to_do, pause_seconds=0.001)

    assert SEEN == ["begun"]


def test_a_service_that_hangs_does_not_hold_the_process(monkeypatch, caplog):
    monkeypatch.setattr(services, "STOP_SECONDS", 0.01)
    release = threading.Event()

    def deaf(_stop):
        NEWS.set()
        release.wait(30)

    monkeypatch.setattr(services, "import_string", lambda _name: deaf)
    with services.running(["deaf"]):
        assert NEWS.wait(30)
    release.set()
    assert "deaf did not end" in caplog.text


def test_the_worker_runs_services_and_jobs_until_it_is_told_to_stop(tmp_path):
    """A process of its own: signals and the queue's loop as they are."""
    program = textwrap.dedent(
        """
        import sys, threading
        sys.path.insert(0, sys.argv[1])
        import django; django.setup()
        from pathlib import Path
        from django.core.management import call_command
        from renkei.base import jobs
        call_command("migrate", verbosity=0)

        def service(stop):
            print("begun", flush=True)
            stop.wait()
            print("ended", flush=True)

        sys.modules["house_services"] = sys.modules["__main__"]

        class Room:
            services = ("house_services.service",)

        jobs.rooms = lambda: [Room]
        from renkei.record.tasks import draw
        draw.enqueue()
        drain = "import time; print('drained', flush=True); time.sleep(60)"
        jobs.work(Path(sys.argv[2]) / "lock", drainer=(sys.executable, "-c", drain))
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, ".", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert {child.stdout.readline() for _ in range(2)} == {"begun\n", "drained\n"}
    child.send_signal(signal.SIGTERM)  # which it hands to the child that runs the jobs
    out, _ = child.communicate(timeout=30)
    assert out == "ended\n"
    assert child.returncode == 0
