"""What a person sees while a suite runs: a live panel on a terminal, plain lines anywhere else."""

import sys
import time
from typing import Any

from bench.cli.options import Opened
from bench.cli.printing import say
from bench.job import Job
from bench.plan import Plan


class Display:
    """Implements `bench.drive.View`."""

    def __init__(self, opened: Opened) -> None:
        self.opened, self.live = opened, sys.stderr.isatty()
        self.total, self.done, self.failed, self.earlier = 0, 0, 0, 0
        self.running: dict[str, dict[str, Any]] = {}
        self.durations: list[float] = []
        self.slots = 1
        self.began = time.monotonic()
        self._screen: Any = None
        self._prepared = ""

    def __enter__(self) -> "Display":
        if self.live:
            from rich.console import Console
            from rich.live import Live

            self._screen = Live(
                console=Console(stderr=True, markup=False, highlight=False), get_renderable=self._panel, refresh_per_second=4
            )
            self._screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen:
            self._screen.stop()

    def preparing(self, name: str, done: int, total: int) -> None:
        """Show how far decoding a split has come."""
        self._prepared = "" if done == total else f"preparing {name}: {done} of {total} images"
        if not self.live and done == total:
            say(f"prepared {name}: {total} images")

    def begin(self, plan: Plan, jobs: list[Job]) -> None:
        """All is checked; cells start now."""
        self.total, self.earlier, self.began = len(jobs), len(plan.cells) - len(jobs), time.monotonic()
        self._line(f"{self.opened.suite.name}: {self.total} cells to run, {self.earlier} done before")

    def event(self, kind: str, job: Job, details: dict[str, Any]) -> None:
        """Take note of what happened to a cell."""
        label, id_ = job.cell.label, job.cell.id
        if kind == "start":
            self.running[id_] = {"label": label, "begin": time.monotonic(), "steps": job.cell.recipe.steps, "step": 0, **details}
            self.slots = max(self.slots, len(self.running))
            if not self.live:
                say(f"start    {label}  [{id_}] on {details['device']}")
        elif kind == "report":
            self._report(id_, label, details)
        elif kind == "busy":
            self._line(f"waits    {label}: held by {details['owner']}")
        else:
            cell = self.running.pop(id_, None)
            took = time.monotonic() - cell["begin"] if cell else 0.0
            self.done += kind in ("finished", "failed")
            self.failed += kind == "failed"
            if kind == "finished":
                self.durations.append(took)
            reason = f": {details['cause']}: {details['message']}" if kind == "failed" else ""
            self._line(f"{kind:9}{label}  {took:.0f} s  ({self.done} of {self.total}{self._left()}){reason}")

    def note(self, text: str) -> None:
        """Say something without disturbing the panel."""
        self._line(text)

    def _report(self, id_: str, label: str, details: dict[str, Any]) -> None:
        cell = self.running.get(id_)
        if cell is None:
            return
        if "note" in details:
            self._line(f"note     {label}: {details['note']}")
        if details.get("steps_done"):
            cell["rate"] = details["steps_done"] / max(1e-9, time.monotonic() - cell.get("trained_from", cell["begin"]))
        if details.get("stage") == "train":
            cell["trained_from"] = time.monotonic()
        cell.update(details)

    def _left(self) -> str:
        """Time left, from the mean of the cells that have finished in this run."""
        if not self.durations or self.done >= self.total:
            return ""
        seconds = (self.total - self.done) * sum(self.durations) / len(self.durations) / self.slots
        return f", about {_clock(seconds)} left"

    def _line(self, text: str) -> None:
        if self._screen:
            self._screen.console.print(text)
        else:
            say(text)

    def _panel(self) -> Any:
        from rich.text import Text

        lines = [self._prepared] if self._prepared else []
        if self.total:
            failed = f", {self.failed} failed" if self.failed else ""
            lines.append(
                f"{self.done} of {self.total} cells done{failed}, {_clock(time.monotonic() - self.began)} gone{self._left()}"
            )
        lines += [self._cell(cell) for cell in self.running.values()]
        return Text("\n".join(lines))

    def _cell(self, cell: dict[str, Any]) -> str:
        stage = cell.get("stage", "start")
        if stage != "train":
            return f"  {cell['label']}: {stage}"
        if not cell["steps"]:
            return f"  {cell['label']}: {stage}"
        bar = "█" * (20 * cell["step"] // cell["steps"])
        text = f"  {cell['label']}: {bar:░<20} step {cell['step']} of {cell['steps']}"
        text += f", loss {cell['loss']:.3f}" if cell.get("loss") is not None else ""
        text += (
            f", {cell['rate']:.1f} steps/s, {_clock((cell['steps'] - cell['step']) / cell['rate'])} left"
            if cell.get("rate")
            else ""
        )
        return text + (f", val mIoU {cell['val_miou']:.3f}" if cell.get("val_miou") is not None else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
