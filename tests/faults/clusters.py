"""A Ray cluster of several nodes on this machine, each with an address of its own, and the sudden end of one of them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.stores import environment

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_health_check_initial_delay_ms": "1000",  # so that the loss of a node is noticed within seconds
    "RAY_health_check_period_ms": "1000",
}
HIDE = 'mount -t tmpfs none "$0" && exec "$@"'


class Cluster:
    """The nodes that run, by their processes; `address` is what `bench run --address` takes."""

    def __init__(self, temporary: Path) -> None:
        self.temporary, self.mark = temporary, secrets.token_hex(8)
        self.nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.1.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.1.1:{self.port}"

    def add(self, cpus: int, hidden: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a node, the first of them the head; one from which a folder is ``hidden`` sees an empty one in its place."""
        number = len(self.nodes) + 1
        place = ["--head", f"--port={self.port}", "--include-dashboard=false", "--disable-usage-stats"]
        place = [*place, f"--temp-dir={self.temporary}"] if number == 1 else [f"--address={self.address}"]
        options = [f"--node-ip-address=127.0.1.{number}", f"--num-cpus={cpus}", "--num-gpus=0", "--object-store-memory=100000000"]
        line = [str(Path(sys.executable).parent / "ray"), "start", *place, *options, "--block"]
        if hidden:
            line = ["unshare", "--mount", "sh", "-c", HIDE, str(hidden), *line]
        here = environment() | QUIET | {"STRIDEBENCH_TEST_CLUSTER": self.mark}
        with (self.temporary / f"node-{number}.log").open("wb") as log:
            self.nodes.append(subprocess.Popen(line, env=here, stdout=log, stderr=log, start_new_session=True))
        self._wait(number)
        return self.nodes[-1]

    def _wait(self, count: int) -> None:
        code = f"import ray, sys; ray.init('{self.address}', log_to_driver=False, logging_level='ERROR');"
        code += f"sys.exit(sum(node['Alive'] for node in ray.nodes()) < {count})"
        end = time.monotonic() + 40
        while subprocess.run([sys.executable, "-c", code], env=environment() | QUIET, capture_output=True).returncode:
            assert time.monotonic() < end, (self.temporary / f"node-{count}.log").read_text()
            time.sleep(0.5)

    def kill(self, node: subprocess.Popen[bytes]) -> int:
        """kill -9 to every process of a node at once; returns how many there were."""
        pids = _below(node.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        pids = _below(node.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait(timeout=30)
        return len(pids)

    def end(self) -> None:
        """End what is left, by the mark that every process of the cluster carries."""
        for node in self.nodes:
            if node.poll() is None:
                self.kill(node)
        for pid in _marked(self.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster without nodes yet, and no trace of it afterwards."""
    temporary = Path(tempfile.mkdtemp(prefix="rt", dir="/tmp"))  # short: paths of sockets have 107 characters at most
    made = Cluster(temporary)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(temporary, ignore_errors=True)


def can_hide() -> bool:
    """Whether this user may give a process file systems of its own."""
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", HIDE, "/mnt", "true"], capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def _below(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with suppress(OSError):
            for tasks in Path(f"/proc/{each}/task").iterdir():
                found += [int(word) for word in (tasks / "children").read_text().split()]
    return found


def _marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if f"STRIDEBENCH_TEST_CLUSTER={mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found
