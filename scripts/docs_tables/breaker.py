"""The circuit breaker: its states, its signals, its defaults."""

from __future__ import annotations

from typing import Final

from scripts.docs_tables.text import Row, codes, length, table


def breaker_diagram() -> str:
    """Return the state diagram of TRANSITIONS: what traffic and time do, and what a person does."""
    from seawall_policy.breaker.rules import SIGNAL_NAMES, STATE_NAMES, TRANSITIONS

    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> CLOSED"]
    by_hand: dict[int, int] = {}
    for (before, signal), after in TRANSITIONS.items():
        if _is_by_hand(signal):
            by_hand[signal] = after
        else:
            lines.append(f"    {STATE_NAMES[before]} --> {STATE_NAMES[after]}: {SIGNAL_NAMES[signal]}")
    lines.append('    state "any state" as ANY')
    lines += [
        f"    ANY --> {STATE_NAMES[after]}: {SIGNAL_NAMES[signal]}" for signal, after in by_hand.items()
    ]
    return "\n".join([*lines, "```"]) + "\n"


def _is_by_hand(signal: int) -> bool:
    from seawall_policy.breaker.rules import STATE_NAMES, TRANSITIONS

    return all((state, signal) in TRANSITIONS for state in range(len(STATE_NAMES)))


SIGNALS: Final = {
    "TRIP": "a threshold is reached: `consecutive`, `failure_rate` or `slow_call`, asked in this order",
    "COOLED_DOWN": "`open_for` has passed; by the clock, also without traffic",
    "PROBES_PASSED": "`success_threshold` probes have passed",
    "PROBES_FAILED": "so many probes have failed or were slow that the threshold can no longer be met",
    "PROBES_TIMED_OUT": "`half_open_timeout` has passed since the first probe, and the answers are not there",
    "RECOVERING": "`success_threshold` probes have passed and there is a `ramp`; in another worker, perhaps",
    "RAMPED_UP": "the last step of the ramp has not failed",
    "RAMP_FAILED": "a step of the ramp has failed and the share was no more than `ramp.from`",
    "HOLD_ENDED": "the time is up for which a person has held it",
    "HOLD_OPEN": "another worker of the proxy has opened, and will probe",
    "FORCE_OPEN": "`seawall breaker trip NAME --for 5m`: open for that long, then probe",
    "RESET": "`seawall breaker reset NAME`: closed, everything forgotten",
    "DISABLE": "`seawall breaker hold-closed NAME --for 5m`: let everything pass unwatched",
    "OBSERVE": "`seawall breaker observe NAME --for 5m`: let everything pass, and count",
}


def breaker_signals() -> str:
    """Return what sets each transition off."""
    from seawall_policy.breaker.rules import SIGNAL_NAMES, STATE_NAMES, TRANSITIONS

    rows: list[Row] = []
    for number, name in enumerate(SIGNAL_NAMES):
        pairs = [(before, after) for (before, signal), after in TRANSITIONS.items() if signal == number]
        if _is_by_hand(number):
            moves = f"any state → {STATE_NAMES[pairs[0][1]]}"
        else:
            moves = ", ".join(f"{STATE_NAMES[before]} → {STATE_NAMES[after]}" for before, after in pairs)
        rows.append((f"`{name}`", moves, SIGNALS[name]))
    return table(("signal", "transition", "set off by"), rows)


def breaker_defaults() -> str:
    """Return the defaults of a breaker."""
    from seawall_policy.breaker import MODE_NAMES, SCOPE_NAMES, BreakerOptions

    o = BreakerOptions()
    return table(
        ("setting", "default", "range"),
        [
            ("`window`", f"kind `{o.kind}`, size {o.size}", "1 to 100,000 calls, or 1 s to 1 h"),
            ("`min_calls`", str(o.min_calls), "1 to 100,000"),
            ("`failure_rate`", f"{o.failure_rate:g} %", "above 0 to 100 %"),
            ("`consecutive`", f"{o.consecutive} (off)", "0 to 100,000"),
            ("`slow_call.duration`", length(o.slow_call_duration_s), "1 ms to 24 h"),
            ("`slow_call.rate`", f"{o.slow_call_rate:g} %", "above 0 to 100 %"),
            ("`open_for`", length(o.open_for_s), "10 ms to 24 h"),
            ("`open_multiplier`", f"{o.open_multiplier:g}", "1 to 10"),
            ("`open_for_max`", length(o.open_for_max_s), "10 ms to 24 h"),
            ("`half_open_calls`", str(o.half_open_calls), "1 to 10,000"),
            ("`half_open_timeout`", length(o.half_open_timeout_s), "0 (never) to 24 h"),
            ("`open_jitter`", f"{o.open_jitter:g}", "0 to 1"),
            ("`per`", f"`{SCOPE_NAMES[o.scope]}`", ", ".join(f"`{n}`" for n in SCOPE_NAMES[1:])),
            ("`ramp.duration`", "no ramp; 10 s with `ramp: {}`", "100 ms to 1 h"),
            ("`ramp.from`", f"{o.ramp_from:g} %", "1 to 100 %"),
            ("`success_threshold`", str(o.success_threshold), "1 to 10,000"),
            ("`failure_codes`", codes(o.failure_mask), "every status but OK"),
            ("`mode`", f"`{MODE_NAMES[o.mode]}`", ", ".join(f"`{n}`" for n in MODE_NAMES[1:])),
        ],
    )
