"""Playing one scenario through some stacks side by side.

Each stack has services, a proxy and a caller of its own; all callers begin together, so that whatever else
the machine does hits all of them alike.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import tools
from benchmarks.efficacy import scenarios, stacks
from benchmarks.efficacy.measures import Figures, measure, read_calls
from benchmarks.efficacy.scenarios import Scenario, Step
from benchmarks.efficacy.services import Service, services
from benchmarks.processes import process, waited_seconds

SERVICES: Final = 3
DEADLINE_S: Final = 1.0
LATE_S: Final = 0.05
"""A caller that was this late was short of processor time, and so were the others."""
WAITED_SHARE: Final = 0.1
"""A proxy that was ready to run for this share of the time, and did not get to, was short of it too."""
_TRIES: Final = 3
_MOST_AGAIN: Final = 6
_GRACE_S: Final = 20.0
"""After this long beyond its plan a caller is ended."""


@dataclass
class Patience:
    """How many more scenarios may be played again in this run: on a busy machine it has to end, too."""

    left: int = _MOST_AGAIN


@dataclass
class Lane:
    """One stack in one scenario."""

    name: str
    services: list[Service]
    caller: subprocess.Popen[bytes]
    base: float
    proxy: int
    """Its process; 0 for none."""
    figures: Figures | None = None
    late_s: float = 0.0
    """How late the caller was at worst."""
    waited: float = 0.0
    """Share of the time in which the proxy waited for a processor."""
    problems: list[str] = field(default_factory=list)

    def play(self, scenario: Scenario) -> None:
        """Run the caller and do the steps in their time."""
        assert self.caller.stdin is not None
        assert self.caller.stdout is not None
        watchdog = threading.Timer(scenario.seconds + _GRACE_S, self.caller.kill)
        watchdog.start()
        try:
            self.caller.stdin.write(b"\n")
            self.caller.stdin.flush()
            begin = float(_expect(self.caller, "begin"))
            waited_s = waited_seconds(self.proxy) if self.proxy else 0.0
            steps = threading.Thread(target=self._steps, args=(scenario, begin))
            steps.start()
            lines = self.caller.stdout.read().decode().splitlines()
            steps.join()
            if self.proxy:
                self.waited = (waited_seconds(self.proxy) - waited_s) / scenario.seconds
        finally:
            watchdog.cancel()
        if not lines or not lines[-1].startswith("late "):
            raise RuntimeError(f"the caller did not come to its end{_last_words(self.caller)}")
        self.late_s = float(lines.pop().partition(" ")[2])
        boards = [service.came_and_well() for service in self.services]
        self.figures = measure(scenario, read_calls(lines), boards, begin - self.base, DEADLINE_S)

    def _steps(self, scenario: Scenario, begin: float) -> None:
        for step in scenario.steps:
            wait = begin + step.at - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            chosen = self.services if step.service < 0 else [self.services[step.service]]
            for service in chosen:
                try:
                    _do(service, step)
                except (OSError, RuntimeError) as error:
                    self.problems.append(f"{step.what} at {step.at:g} s: {error}")


def _do(service: Service, step: Step) -> None:
    if step.what == scenarios.START:
        service.start()
    elif step.what in _SIGNALS:
        service.send(_SIGNALS[step.what])
    else:
        service.say(step.what)


_SIGNALS: Final = {
    scenarios.KILL: signal.SIGKILL,
    scenarios.DRAIN: signal.SIGTERM,
    scenarios.FREEZE: signal.SIGSTOP,
    scenarios.THAW: signal.SIGCONT,
}


def run(
    scenario: Scenario, names: list[str], say: Callable[[str], None], patience: Patience, seed: int = 7
) -> dict[str, Figures]:
    """Play a scenario through the stacks; those that cannot be started are left out, with a line.

    It is played again when the machine was too busy for it, three times at most, while there is patience.
    """
    figures: dict[str, Figures] = {}
    for trial in range(_TRIES):
        figures, trouble = _play(scenario, names, say, seed)
        if not trouble:
            break
        again = trial + 1 < _TRIES and patience.left > 0
        rest = "; played again" if again else "; its figures are not to be trusted"
        say(f"{scenario.name}: the machine was busy, {trouble}{rest}")
        if not again:
            break
        patience.left -= 1
    return figures


def _play(
    scenario: Scenario, names: list[str], say: Callable[[str], None], seed: int
) -> tuple[dict[str, Figures], str]:
    """Return the figures, and in which way the machine was too busy; empty when it was not."""
    with ExitStack() as stack:
        lanes: list[Lane] = []
        for name in names:
            inner = ExitStack()
            try:
                lanes.append(_open(inner, scenario, name, seed))
            except (tools.Missing, RuntimeError, OSError) as error:
                inner.close()
                say(f"left out: {name}: {error}")
            else:
                stack.enter_context(inner)
        errors: dict[str, str] = {}

        def play(lane: Lane) -> None:
            try:
                lane.play(scenario)
            except (RuntimeError, OSError, ValueError) as error:
                errors[lane.name] = str(error)

        threads = [threading.Thread(target=play, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for lane in lanes:
            for problem in (*lane.problems, *([errors[lane.name]] if lane.name in errors else [])):
                say(f"failed: {scenario.name}, {lane.name}: {problem}")
        figures = {lane.name: lane.figures for lane in lanes if lane.figures is not None}
        late_s = max((lane.late_s for lane in lanes), default=0.0)
        waited = max((lane.waited for lane in lanes), default=0.0)
        if late_s > LATE_S:
            return figures, f"a call began {late_s * 1e3:.0f} ms late"
        if waited > WAITED_SHARE:
            return figures, f"a proxy waited for a processor for {waited * 100:.0f} % of the time"
        return figures, ""


def _open(stack: ExitStack, scenario: Scenario, name: str, seed: int) -> Lane:
    base = time.monotonic()
    running = stack.enter_context(services(SERVICES, base, scenario.setup))
    door = stack.enter_context(stacks.starter(name)([service.port for service in running]))
    plan = ",".join(f"{rate:g}:{length:g}" for rate, length in scenario.plan)
    command = [str(tools.native("caller")), "-c", str(door.connections), "-d", f"{DEADLINE_S * 1000:g}"]
    command += ["-s", str(seed), "-r", plan, *(str(port) for port in door.ports)]
    caller = stack.enter_context(process(command))
    _expect(caller, "ready")
    return Lane(name, running, caller, base, door.pid)


def _expect(child: subprocess.Popen[bytes], word: str) -> str:
    assert child.stdout is not None
    said, _, rest = child.stdout.readline().decode().strip().partition(" ")
    if said != word:
        raise RuntimeError(f"the caller said {said!r} instead of {word!r}{_last_words(child)}")
    return rest


def _last_words(child: subprocess.Popen[bytes]) -> str:
    text = Path(child.log_path).read_text(errors="replace").strip()  # type: ignore[attr-defined]
    return f": {text.splitlines()[-1]}" if text else ""
