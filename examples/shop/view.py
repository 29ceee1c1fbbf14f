"""What the demonstration shows: a live picture on a terminal, one line a second anywhere else."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from examples.shop.load import Tally
from seawall.cli import render

if TYPE_CHECKING:
    from rich.console import RenderableType

HISTORY = 64
BARS = "▁▂▃▄▅▆▇█"
BREAKER_STYLE = {"closed": "green", "half_open": "yellow", "open": "red", "forced_open": "red"}
BREAKER_MARK = {"closed": "●", "half_open": "◐", "open": "○", "forced_open": "⊘"}


@dataclass
class Picture:
    """Everything that is shown."""

    phases: Sequence[str] = ()
    phase: str = ""
    explanation: str = ""
    second: Tally = field(default_factory=Tally)
    breakers: dict[str, str] = field(default_factory=dict)
    endpoints: list[tuple[str, str, str]] = field(default_factory=list)
    """Cluster, address, state."""
    revision: int = 0
    history: deque[Tally] = field(default_factory=lambda: deque(maxlen=HISTORY))


class View:
    """Shows a picture."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.console = Console(highlight=False)
        self.live = (
            Live(console=self.console, get_renderable=self.render, refresh_per_second=4, transient=True)
            if self.console.is_terminal and not self.console.is_dumb_terminal
            else None
        )

    def __enter__(self) -> Self:
        """Begin."""
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and leave what was said on the screen."""
        if self.live is not None:
            self.live.stop()

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line above the picture."""
        # A Text of its own: a style given to print would also colour the live picture that is drawn again
        # with it.
        self.console.print(Text(text, style=style), soft_wrap=True)
        sys.stdout.flush()

    def begin(self, number: int, title: str, explanation: str) -> None:
        """Announce a phase."""
        self.picture.phase, self.picture.explanation = title, explanation
        self.say()
        self.say(f"{number}. {title}", "bold")
        self.say(f"   {explanation}")

    def tick(self, at_s: float) -> None:
        """Show a finished second."""
        self.picture.history.append(self.picture.second)
        if self.live is None:
            self.say(self.line(at_s))

    def line(self, at_s: float) -> str:
        """Return the last second as one line."""
        one = self.picture.second
        breaker = self.picture.breakers.get("catalog", "-").upper()
        servers = sorted(name for name in one.served_by if name.startswith("catalog"))
        served = ", ".join(f"{name} {one.served_by[name]}" for name in servers)
        return (
            f"   {at_s:3.0f}s  {one.calls:3d} calls  {one.success * 100:6.2f}% ok  "
            f"p50 {render.latency(one.percentile(0.5)):>7}  p99 {render.latency(one.percentile(0.99)):>7}  "
            f"retries {one.retries:2d}  fallbacks {one.outcomes['fallback']:2d}  {breaker:<9}  {served}"
        ).rstrip()

    def render(self) -> RenderableType:
        """Return the live picture."""
        return Panel(
            Group(self._numbers(), Text(""), self._chart(), Text(""), self._states()),
            title=f"[bold]{self.picture.phase}[/bold]",
            subtitle=f"policy revision {self.picture.revision or '-'}",
            border_style="cyan",
        )

    def _numbers(self) -> Table:
        one = self.picture.second
        grid = Table.grid(padding=(0, 3), expand=True)
        good = "green" if one.success >= 0.999 else "yellow" if one.success >= 0.95 else "red"
        cells = [
            ("calls/s", str(one.calls), "bold"),
            ("success", render.percent(one.success), f"bold {good}"),
            ("p50", render.latency(one.percentile(0.5)), "bold"),
            ("p99", render.latency(one.percentile(0.99)), "bold"),
            ("retries/s", str(one.retries), "bold yellow" if one.retries else "bold"),
            (
                "fallbacks/s",
                str(one.outcomes["fallback"]),
                "bold yellow" if one.outcomes["fallback"] else "bold",
            ),
        ]
        for _ in cells:
            grid.add_column(justify="center")
        grid.add_row(*(Text(name, style="dim") for name, _, _ in cells))
        grid.add_row(*(Text(value, style=style) for _, value, style in cells))
        return grid

    def _chart(self) -> Text:
        """One bar a second for the p99, coloured by what callers got."""
        text = Text.assemble(("p99 by second  ", "dim"))
        top = max((tally.percentile(0.99) for tally in self.picture.history), default=0.0) or 1.0
        for tally in self.picture.history:
            bar = BARS[min(len(BARS) - 1, int(tally.percentile(0.99) / top * len(BARS)))]
            saved = tally.outcomes["fallback"] + tally.retries
            text.append(bar, style="red" if tally.success < 0.999 else "yellow" if saved else "green")
        return text

    def _states(self) -> Table:
        grid = Table.grid(padding=(0, 4))
        grid.add_column()
        grid.add_column()
        breakers = Text.assemble(("breakers\n", "dim"))
        for name, state in self.picture.breakers.items():
            breakers.append(
                f"{BREAKER_MARK.get(state, '?')} {name:<8} {state.upper()}\n",
                style=BREAKER_STYLE.get(state, ""),
            )
        endpoints = Text.assemble(("endpoints\n", "dim"))
        for cluster, address, state in self.picture.endpoints:
            mark = "●" if state == "ready" else "×" if state == "backoff" else "○"
            style = {"ready": "green", "backoff": "red"}.get(state, "yellow")
            endpoints.append(f"{mark} {cluster:<8} {address}  {state}\n", style=style)
        grid.add_row(breakers, endpoints)
        return grid
