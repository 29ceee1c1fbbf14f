"""What a person has started in all workers and not ended, so that the successor of a worker does it too."""

from __future__ import annotations

from seawall.v1 import fleet_pb2

Place = tuple[str, ...]


class ActBook:
    """Commands that last, and until when; bounded by what a worker takes (`operator_acts.MAX_ACTS`)."""

    def __init__(self) -> None:
        self._acts: dict[Place, tuple[fleet_pb2.Command, float]] = {}

    def note(self, command: fleet_pb2.Command, now: float) -> None:
        """Note a command that was carried out; `now` in monotonic seconds."""
        kind = command.WhichOneof("action")
        if kind == "start_fault":
            self._keep(("fault", command.start_fault.route), command, now)
        elif kind == "stop_fault":
            self._acts.pop(("fault", command.stop_fault.route), None)
        elif kind == "drain":
            self._keep(("drain", command.drain.cluster, command.drain.address), command, now)
        elif kind == "undrain":
            self._acts.pop(("drain", command.undrain.cluster, command.undrain.address), None)

    def _keep(self, place: Place, command: fleet_pb2.Command, now: float) -> None:
        self.current(now)
        length = command.start_fault.duration if place[0] == "fault" else command.drain.duration
        self._acts[place] = (command, now + length.ToTimedelta().total_seconds())

    def current(self, now: float) -> list[fleet_pb2.Command]:
        """Return the commands that still last, each for what is left of its time."""
        # A command for less than a second is refused, and is over at once anyway.
        self._acts = {place: act for place, act in self._acts.items() if act[1] - now >= 1.0}
        found = []
        for command, until in self._acts.values():
            copy = fleet_pb2.Command()
            copy.CopyFrom(command)
            length = copy.start_fault.duration if copy.HasField("start_fault") else copy.drain.duration
            length.FromMilliseconds(int((until - now) * 1000))
            found.append(copy)
        return found
