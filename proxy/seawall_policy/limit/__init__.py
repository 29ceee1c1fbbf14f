"""How many calls may be at work at once: how the number is found, who gets a place, and who waits.

`options` (what a policy says), `algorithm` and its kinds (`aimd`, `gradient`, `vegas`, `knee`: the number),
`window` (the samples that they learn from), `shares` (classes of calls), `queue` (who waits, and in which
order), `gate` (all of it together, what a call meets).
"""
